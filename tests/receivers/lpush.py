"""An application that enqueues an event: what its own code looked like before there was Posthaste."""

import json
import sys

import redis as redis_client

redis = redis_client.Redis.from_url(sys.argv[1])

event = {
    "id": "order-7",
    "event_type": "order.created",
    "data": {"name": "Zoé", "total": 10.0, "lines": [1, 2]},
    "timestamp": 1763757296.12,
    "source": "shop",
    "version": "1.0",
}
redis.lpush("webhook_events", json.dumps(event))
