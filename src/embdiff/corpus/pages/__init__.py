"""Documents that are files of their own: Markdown, HTML, reStructuredText, plain text, PDF; a reader for each."""
