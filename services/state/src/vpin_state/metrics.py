"""Metrics of the state service."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

sessions = Gauge("vpin_state_sessions", "Sessions by side", ["side"])
sessions_resumed = Counter("vpin_state_sessions_resumed_total", "Sessions taken over from another owner")
accounts = Gauge("vpin_state_accounts", "Accounts in memory")
shards_owned = Gauge("vpin_state_shards_owned", "Shards that this process owns")
slabs = Counter("vpin_state_slabs_total", "Slabs applied")
slabs_repeated = Counter("vpin_state_slabs_repeated_total", "Slabs that came again and were dropped")
slabs_malformed = Counter("vpin_state_slabs_malformed_total", "Messages in a shard's queue that are no whole slab")
entries_malformed = Counter("vpin_state_entries_malformed_total", "Entries of slabs that can't be read")
commits = Counter("vpin_state_commits_total", "Commits")
commit_failures = Counter("vpin_state_commit_failures_total", "Commits that had to be tried again")
commit_seconds = Histogram(
    "vpin_state_commit_seconds", "Time of a commit", buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
)
watched = Gauge("vpin_state_watched_accounts", "Accounts that somebody watches live")
shown = Counter("vpin_state_live_events_total", "Events of watched accounts")
commit_rows = Counter("vpin_state_commit_rows_total", "Rows of values written")
rolled_points = Counter("vpin_state_rolled_points_total", "Points of history added to minutes, hours and days")
roll_up_seconds = Histogram(
    "vpin_state_roll_up_seconds", "Time of a roll-up of history", buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60)
)
logins = Counter("vpin_state_entries_total", "Commands of clients without a session, by outcome", ["outcome"])
