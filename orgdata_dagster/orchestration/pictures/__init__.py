"""Pictures for the UI and for pages: a calendar as SVG, and plots by matplotlib if it is installed.

Here: drawing. Keep out: the data (assets/, overview/). Every picture is readable on light and dark backgrounds.
"""
