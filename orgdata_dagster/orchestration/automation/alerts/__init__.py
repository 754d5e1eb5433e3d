"""Telling people that an asset failed: a message a failing asset and day, to where the environment says.

Here: when (sensor.py), and by which ways (channels.py). Add here: another occasion. Keep out: what a failure is
(orchestration/assets/failures.py).
"""
