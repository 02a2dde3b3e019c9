"""Dashboards, rules and runbooks, executed: ``python -m tests.dashboards`` (`make dashboards`)."""
