"""The management API ``/api/v1`` (spec 08): one router a topic. Imported with the first request that needs it."""
