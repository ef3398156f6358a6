"""The bus: one interface, in memory or over RabbitMQ."""

from vpin_bus.interface import WINDOW, Bus, BusClosedError, Consumer, Delivery, Outlet, Queue
from vpin_bus.opening import open_bus

__all__ = ["WINDOW", "Bus", "BusClosedError", "Consumer", "Delivery", "Outlet", "Queue", "open_bus"]
