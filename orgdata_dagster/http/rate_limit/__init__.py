"""Rate limits that all processes of a machine share, and that survive restarts and kill -9.

Here: the names the rest of the project uses. rate_limit.py spends, rule.py says what is allowed, planner.py when,
ledger.py what was, store.py and lease.py share it, timeline.py dates it.
Add here when: a caller outside needs one more of them.
Keep out: code; vendors' figures; HTTP.
"""

from orgdata_dagster.http.rate_limit.rate_limit import Permit, RateLimit, RateLimitTimeout
from orgdata_dagster.http.rate_limit.reservations import Pause, WindowUsage
from orgdata_dagster.http.rate_limit.rule import Rule, Window

__all__ = ["Pause", "Permit", "RateLimit", "RateLimitTimeout", "Rule", "Window", "WindowUsage"]
