from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today
from orgdata_dagster_tests.integration.truth import difference
import time

def test_x(home: Home, sandbox: Sandbox):
    for n in range(3):
        t=time.time()
        done = home.orgdata("pull", "--from", today(back=5))
        print(time.time()-t, done)
    for name, data in sandbox.institution_analytics.data_sets.items():
        print(len(data.truth()))
        print(difference(home.warehouse, f"institution_analytics.{name}", data.truth()))
    t=time.time()
    print(home.orgdata("status"))
    print(time.time()-t)
    t=time.time()
    r = home.materialize("institution_analytics/users")
    print(time.time()-t, r.success)
