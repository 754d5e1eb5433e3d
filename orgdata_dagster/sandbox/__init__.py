"""The vendors' APIs, simulated over real HTTP to the letter of their documents, limits enforced.

Here: the kit every simulated vendor stands on (server, log, limits, faults) and one package a vendor.
Add here when: a vendor is added, or a vendor's document says something the simulation does not do yet.
Keep out: any import from the rest of orgdata. The sandbox is the witness the rest is tested against.
"""
