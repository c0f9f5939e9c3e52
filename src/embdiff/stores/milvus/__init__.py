"""Milvus Lite and Milvus servers behind one store, and collections there that others made.

Nothing is imported here: pymilvus takes a second. `embdiff.stores.milvus.store` has the store, `theirs` the collections
of others.
"""
