package workflows

import (
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sweep"
	"sweep/trainerplugin"
)

// A Meter measures the attempts of one worker, for Prometheus. Its metrics name
// no trial and no hyper-parameter, so their number does not grow with a sweep.
type Meter struct {
	devices *Devices

	mu      sync.Mutex
	running map[sweep.AttemptRef]pace
	total   map[string]float64 // attempts that have ended, by how
	steps   float64
	saved   float64 // checkpoints
	bytes   float64 // of them
	lengths prometheus.Histogram
}

// A pace is how far one attempt has come. Times are this machine's own.
type pace struct {
	began      time.Time
	step       int
	examples   float64 // per second, as last reported
	checkpoint time.Time
}

// NewMeter returns a meter of attempts that train on d.
func NewMeter(d *Devices) *Meter {
	return &Meter{
		devices: d, running: map[sweep.AttemptRef]pace{}, total: map[string]float64{},
		lengths: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sweep_attempt_duration_seconds", Help: "Time from an attempt's start on this worker to its end.",
			Buckets: prometheus.ExponentialBuckets(0.25, 4, 10), // to 18 hours
		}),
	}
}

// begin notes that an attempt is here. A nil Meter measures nothing.
func (m *Meter) begin(ref sweep.AttemptRef) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.running[ref] = pace{began: now, checkpoint: now}
}

func (m *Meter) event(ref sweep.AttemptRef, e trainerplugin.Event) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, known := m.running[ref]
	if !known {
		return
	}
	switch e := e.(type) {
	case trainerplugin.Started:
		p.step = e.Step
	case trainerplugin.Progress:
		m.reached(&p, e.Step)
		p.examples = e.ExamplesPerSec
	case trainerplugin.Evaluation:
		m.reached(&p, e.Step)
	case trainerplugin.Checkpoint:
		m.reached(&p, e.Step)
		p.checkpoint = time.Now()
		m.saved++
		m.bytes += float64(e.Bytes)
	}
	m.running[ref] = p
}

// reached counts the steps since the last event.
func (m *Meter) reached(p *pace, step int) {
	if step > p.step {
		m.steps += float64(step - p.step)
		p.step = step
	}
}

// end notes how an attempt ended: "completed", or one of [sweep.Failure].
func (m *Meter) end(ref sweep.AttemptRef, how string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lengths.Observe(time.Since(m.running[ref].began).Seconds())
	m.total[how]++
	delete(m.running, ref)
}

var (
	runningDesc    = prometheus.NewDesc("sweep_attempts_running", "Attempts on this worker, those that wait for devices included.", nil, nil)
	waitingDesc    = prometheus.NewDesc("sweep_attempts_waiting", "Attempts on this worker that wait for devices.", nil, nil)
	attemptsDesc   = prometheus.NewDesc("sweep_attempts_total", "Attempts that have ended on this worker, by how.", []string{"end"}, nil)
	stepsDesc      = prometheus.NewDesc("sweep_steps_total", "Updates made by this worker's attempts, as they reported them; its rate is the step rate.", nil, nil)
	examplesDesc   = prometheus.NewDesc("sweep_examples_per_second", "Examples per second of the running attempts together, as last reported.", nil, nil)
	checkpointDesc = prometheus.NewDesc("sweep_checkpoints_total", "Checkpoints written.", nil, nil)
	bytesDesc      = prometheus.NewDesc("sweep_checkpoint_bytes_total", "Bytes of checkpoints written.", nil, nil)
	ageDesc        = prometheus.NewDesc("sweep_checkpoint_age_seconds", "Work that a crash would lose: the longest time since a running attempt's checkpoint, or its start.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (m *Meter) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect implements [prometheus.Collector].
func (m *Meter) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	_, waiting := m.devices.InUse()
	m.mu.Lock()
	defer m.mu.Unlock()
	var examples, age float64
	for p := range maps.Values(m.running) {
		examples += p.examples
		age = max(age, time.Since(p.checkpoint).Seconds())
	}
	gauge(runningDesc, float64(len(m.running)))
	gauge(waitingDesc, float64(waiting))
	gauge(examplesDesc, examples)
	gauge(ageDesc, age)
	counter(stepsDesc, m.steps)
	counter(checkpointDesc, m.saved)
	counter(bytesDesc, m.bytes)
	for how, n := range m.total {
		counter(attemptsDesc, n, how)
	}
	m.lengths.Collect(to)
}
