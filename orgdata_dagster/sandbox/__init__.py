"""The vendors' APIs, simulated over real HTTP exactly as their documents describe them, with their limits.

Here: the shared parts (server, log, limits, faults), and one package per vendor.
Add here when: there is a new vendor, or the simulation lacks something that a vendor's document describes.
Keep out: imports from the rest of orgdata, which is tested against the sandbox.
"""
