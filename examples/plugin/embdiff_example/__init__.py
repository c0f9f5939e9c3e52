"""One of each that another package can add to embdiff: a model, a store, a measure, a reader of documents."""
