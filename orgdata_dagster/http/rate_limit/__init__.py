"""Rate limits that all processes share, and that survive restarts and kill -9.

Here: the names that other packages use. The modules: rate_limit.py (waiting and sending), rule.py (limits as data),
planner.py (when to send), reservations.py (spent and reserved points), lease.py (concurrent requests), timeline.py
(logical time).
Add here when: another package needs one more name.
Keep out: code, vendors' figures, HTTP.

From YAML to a request: the options of `limits:` (orchestration/config/request_options.py for vendors that document no
limit, vendors/rest/limit_options.py for a RestApi, resource.py of octolis and together) become a `Rule` in
`VendorResource.rule()`. It becomes a `RateLimit` (orchestration/resources.py), for which HttpClient waits before every
request (http/client.py).
"""

from orgdata_dagster.http.rate_limit.rate_limit import Permit, RateLimit, RateLimitTimeout
from orgdata_dagster.http.rate_limit.reservations import Pause, WindowUsage
from orgdata_dagster.http.rate_limit.rule import Rule, Window

__all__ = ["Pause", "Permit", "RateLimit", "RateLimitTimeout", "Rule", "Window", "WindowUsage"]
