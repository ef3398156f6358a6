"""Delivers notifications: mail, SMS, push."""
