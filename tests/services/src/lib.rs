//! Real services for tests: RabbitMQ, PostgreSQL, an S3 server, Prometheus, each private to a test run.
