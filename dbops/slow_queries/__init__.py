"""The statements of this project's own processes that took long: logged, counted, kept, and read again as a p95."""
