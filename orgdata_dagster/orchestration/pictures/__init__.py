"""Pictures for the UI and for pages: a calendar as SVG, and plots by matplotlib where it is installed.

Here: drawing. Keep out: what is drawn (assets/, overview/). Every picture is readable on a light and a dark ground.
"""
