// Figures of the controller for Prometheus, under the names that people already graph.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface PoolFigures {
  readonly pool: string;
  readonly workers: number;
  readonly idle: number;
}

export interface Metrics {
  /** Seconds from assignment to the pod's creation. */
  created(seconds: number): void;
  notCreated(): void;
  /** Seconds from assignment until the pod is Running. */
  running(seconds: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

const prefix = 'spacelift_workerpool_controller_';
const seconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** `requests`: sent to the API server until now. */
export function createMetrics(
  pools: () => readonly PoolFigures[],
  requests: () => number = () => 0,
): Metrics {
  const registers = [new Registry()];
  const [registry = new Registry()] = registers;
  const gauge = (name: string, help: string, read: (figures: PoolFigures) => number) =>
    new Gauge({
      name: prefix + name,
      help,
      labelNames: ['pool_ulid'],
      registers,
      collect() {
        this.reset();
        for (const figures of pools()) this.set({ pool_ulid: figures.pool }, read(figures));
      },
    });
  gauge('worker_total', 'Workers of the pool.', ({ workers }) => workers);
  gauge('worker_idle_total', 'Workers of the pool that have no run.', ({ idle }) => idle);
  const running = new Histogram({
    name: `${prefix}worker_creation_duration_seconds`,
    help: 'Seconds from the assignment of a run until its pod is Running.',
    buckets: seconds,
    registers,
  });
  const created = new Histogram({
    name: `${prefix}pod_creation_duration_seconds`,
    help: 'Seconds from the assignment of a run until the API server has its pod.',
    buckets: seconds,
    registers,
  });
  const errors = new Counter({
    name: `${prefix}worker_creation_errors_total`,
    help: 'Tries to make a pod for a run that failed.',
    registers,
  });
  new Counter({
    name: `${prefix}api_requests_total`,
    help: 'Requests to the API server, without watches.',
    registers,
    collect() {
      this.reset();
      this.inc(requests());
    },
  });
  return {
    created: (value) => {
      created.observe(value);
    },
    notCreated: () => {
      errors.inc();
    },
    running: (value) => {
      running.observe(value);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
