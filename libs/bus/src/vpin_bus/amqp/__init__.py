"""The bus over RabbitMQ: one connection to publish and one to consume, so that a blocked publisher still acknowledges.

``frames``, ``channel`` and ``wire`` speak AMQP, ``link`` keeps a connection alive, ``queues`` declares, ``publishing``
with ``outlet``, and ``consuming`` are the two halves, ``sequence`` is how order survives refusals, ``bus`` is all together.
"""
