"""The bus: one interface, in memory or over RabbitMQ."""

from vpin_bus.interface import WINDOW, Bus, Consumer, Delivery, Outlet, Queue

__all__ = ["WINDOW", "Bus", "Consumer", "Delivery", "Outlet", "Queue"]
