//! Where the CPU goes: figures that other programs on the machine change less than they change the clock's.

use pagemill_test_services::cpu_seconds;
use pagemill_tests::cluster::Cluster;

/// CPU seconds by part, so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    coordinator: f64,
    postgres: f64,
    rabbitmq: f64,
    /// The synthetic workers and the client.
    bench: f64,
}

impl Spent {
    pub(crate) fn now(cluster: &Cluster<'_>) -> Self {
        let (coordinator, postgres, rabbitmq) = (
            cpu_seconds(cluster.coordinators[0].daemon.pid()),
            cpu_seconds(cluster.services.postgres.pid()),
            cpu_seconds(cluster.services.rabbitmq.pid()),
        );
        // The others are its children.
        let bench = cpu_seconds(std::process::id()) - coordinator - postgres - rabbitmq;
        Self { coordinator, postgres, rabbitmq, bench }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            coordinator: self.coordinator - before.coordinator,
            postgres: self.postgres - before.postgres,
            rabbitmq: self.rabbitmq - before.rabbitmq,
            bench: self.bench - before.bench,
        }
    }

    pub(crate) fn print(self) {
        let Self { coordinator, postgres, rabbitmq, bench } = self;
        println!(
            "{:34} {:>10.1} s         coordinator {coordinator:.1}, PostgreSQL {postgres:.1}, RabbitMQ {rabbitmq:.1}, \
             synthetic workers and client {bench:.1}",
            "CPU",
            coordinator + postgres + rabbitmq + bench,
        );
    }
}
