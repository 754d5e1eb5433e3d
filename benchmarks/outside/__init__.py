"""What `make bench` and `make soak` share: a project, the real command, a sandbox process, and the truth.

Here: everything that uses orgdata as a user does, from outside its processes. Keep out: what is tried (soak/) and what
is measured (bench/).
"""
