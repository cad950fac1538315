"""The processes that perform deliveries: RQ jobs, the drain loop, the guarded sender and the dispatcher."""
