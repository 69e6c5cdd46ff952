from datetime import UTC, datetime
from sandbox.core.resource import *
def test_x(store):
    with store.write() as w:
        w.put(Resource("job","1","o","new",{}),Entry(datetime.now(UTC),"a","o","r","c","job/1"),expected=0)
    with store.read() as r: assert r.get("job","1").version==1
def test_b(blank_database_url):
    from sandbox.store import Store
    s=Store(blank_database_url); s.upgrade(); s.upgrade(); s.close()
