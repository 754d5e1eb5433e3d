"""Alerts: one message per failing asset and day, to the channels that the environment configures.

Here: when to send (sensor.py), and how (channels.py). Add here when: there is another occasion for an alert.
Keep out: what a failure is (orchestration/assets/failures.py).
"""
