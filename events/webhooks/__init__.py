"""Webhooks: each event that a user chose and may see, as a signed POST to an address of theirs.

The events are the table's, and each webhook has a cursor in it; a delivery and the cursor's step are one transaction.
So every event is sent at least once, with the same id each time, in order, however often the lab or the endpoint dies.
"""
