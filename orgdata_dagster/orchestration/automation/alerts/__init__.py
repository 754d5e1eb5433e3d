"""Alerts: one message when a problem begins and one when it ends, grouped per vendor, through Apprise.

Here: which problems there are (problems.py and the modules that look for them), where messages go (channels.py), when
they are held back (quiet_hours.py), the sensor (sensor.py), and the heartbeat (heartbeat.py).
Add here when: there is another kind of problem. Keep out: what a failure is (orchestration/assets/failures.py).
"""
