"""Rate budgets that all processes of a machine share, and that survive restarts and kill -9.

Here: the names the rest of the project uses. budget.py spends, rule.py says what is allowed, planner.py when,
ledger.py what was, store.py and lease.py share it, timeline.py dates it.
Add here when: a caller outside needs one more of them.
Keep out: code; vendors' figures; HTTP.
"""

from orgdata_dagster.http.rate_limit.budget import Budget, BudgetTimeout, Permit
from orgdata_dagster.http.rate_limit.reservations import Pause, WindowUsage
from orgdata_dagster.http.rate_limit.rule import Rule, Window

__all__ = ["Budget", "BudgetTimeout", "Pause", "Permit", "Rule", "Window", "WindowUsage"]
