"""Alerts: one message when a problem begins and one when it ends, grouped per vendor, through Apprise.

Here: problems (problems.py and the modules that find them), the channels of messages (channels.py), the hours without
messages (quiet_hours.py), the sensor (sensor.py), and the heartbeat (heartbeat.py).
Add here when: there is another kind of problem. Keep out: failures of steps (orchestration/assets/failures.py).
"""
