// Package sweep holds the nouns that the other packages share: what a trial
// is, what it is called and what came of it. It imports only the standard
// library; every other package may import it.
package sweep

// Params is one point of the grid with one seed: all that decides a trial's
// outcome. Equal Params mean the same trial; see [Params.ID]. The target
// epsilon is not among them: a trial is what was done (the noise multiplier),
// and what that cost is computed from it.
//
// A field added later must be omitted from the JSON form when it has the value
// that all earlier trials had, so that old trials keep their names.
type Params struct {
	Trainer   string            `json:"trainer,omitempty"` // "" is the built-in trainer; another is "sha256:" and its digest in hex
	Data      Data              `json:"data"`              // what is trained on
	Model     string            `json:"model"`             // architecture: "tanh-cnn", "wrn-16-4", …
	Batch     int               `json:"batch_size"`        // B: expected Poisson batch in examples, before augmentation; 1 to Data.Train
	Clip      float64           `json:"clip_norm"`         // C: L2 bound on one example's gradient; > 0, and 1 where Clipping is Automatic
	Noise     float64           `json:"noise_multiplier"`  // σ: noise standard deviation divided by Clip; ≥ 0, and 0 is not private
	LearnRate float64           `json:"learning_rate"`     // η: step size of an update whose gradients have norm ≤ 1; > 0
	AugMult   int               `json:"augmult"`           // K: views whose gradients are averaged before clipping; 0 is the plain image
	Augment   Augmentation      `json:"augment,omitempty"` // what a view is; "" where AugMult is 0
	Steps     int               `json:"steps"`             // T: updates; ≥ 1
	EMA       float64           `json:"ema"`               // μ: decay of the weights' moving average; [0, 1)
	NoiseFrom NoiseSource       `json:"noise"`             // where sampling and noise take their randomness from
	Seed      uint64            `json:"seed"`              // of the initial weights and the views, and of all else where NoiseFrom is [Seeded]; below 2^53
	Options   map[string]string `json:"options,omitempty"` // an external trainer's own hyper-parameters

	// How an update follows from a gradient to which noise has been added. All
	// of it is post-processing: none of it changes what a trial costs.

	Optimizer   Optimizer `json:"optimizer,omitempty"`    // "" is SGD
	Momentum    float64   `json:"momentum,omitempty"`     // of SGD: share of the last step in the next; [0, 1), 0 is none
	Beta1       float64   `json:"beta1,omitempty"`        // β₁ of Adam: decay of the mean of gradients; [0, 1)
	Beta2       float64   `json:"beta2,omitempty"`        // β₂ of Adam: decay of the mean of their squares; [0, 1)
	AdamEps     float64   `json:"adam_eps,omitempty"`     // of Adam: what keeps a division from ending in infinity; > 0, no matter of privacy
	WeightDecay float64   `json:"weight_decay,omitempty"` // λ: each update takes η·λ of a weight from it, beside the gradient's step; ≥ 0
	Schedule    Schedule  `json:"schedule,omitempty"`     // how the learning rate falls; "" is constant
	Warmup      int       `json:"warmup,omitempty"`       // updates over which the learning rate rises to LearnRate; 0 to Steps - 1

	Clipping Clipping `json:"clipping,omitempty"` // how an example's gradient is bounded; "" is flat

	Init Init `json:"init,omitzero"` // weights to start from; the zero Init draws them from Seed

	// Layers are those that are trained, as "group3+classifier"; a name stands
	// for all layers under it too, and "" for the whole model. The others keep
	// the weights that they start with, which must be no part of the private
	// data: clipping and noise do not know them.
	Layers string `json:"layers,omitempty"`
}

// Init names a file of weights that a trial starts from, pre-trained on other
// data: what it costs to have made them is not counted.
type Init struct {
	File       string     `json:"file,omitempty"`       // where it is in the data directory, with slashes; no part of the trial's name, which is of the content
	Digest     string     `json:"digest"`               // "sha256:…" of the file
	Classifier Classifier `json:"classifier,omitempty"` // what becomes of the last layer
}

// A Classifier says where a pre-trained model's last layer comes from.
type Classifier string

const (
	KeepClassifier  Classifier = ""      // the file, like all other layers
	ResetClassifier Classifier = "reset" // Seed: for classes that the file's model did not know
)

// Data names the examples of a trial. Train + Validation come from the data
// set's training part.
type Data struct {
	Name       string `json:"name"`                 // "glyphs", "mnist", "cifar10", "folder:NAME", …
	Train      int    `json:"train"`                // N: examples trained on; the sampling rate is Batch / Train
	Validation int    `json:"validation,omitempty"` // examples held out to measure accuracy; 0 measures on the test part
}

// SampleRate is q, the chance that an example enters a step's Poisson batch.
func (p Params) SampleRate() float64 { return float64(p.Batch) / float64(p.Data.Train) }

// EvaluatedOn is the part of the data on which the trial's accuracy is measured.
func (p Params) EvaluatedOn() Split {
	if p.Data.Validation > 0 {
		return Validation
	}
	return Test
}

// A Split is a part of a data set.
type Split string

const (
	Train      Split = "train"
	Validation Split = "validation"
	Test       Split = "test"
)

// An Augmentation is how a view is drawn from an image.
type Augmentation string

const (
	Flip     Augmentation = "flip"      // mirrored left to right with probability 1/2
	Crop     Augmentation = "crop"      // mirror-padded by 4 pixels, edge included, and cropped at random
	CropFlip Augmentation = "crop-flip" // both, as in the paper
)

// A Clipping is how the gradient of one example is bounded before it enters the
// sum. Whichever it is, the noise multiplier is over the bound.
type Clipping string

const (
	Flat      Clipping = ""          // as in the paper: one norm over all parameters, clipped to Clip and divided by it
	Automatic Clipping = "automatic" // divided by its norm, nearly: Bu et al. 2023, AUTO-S. It knows no Clip, which is 1
	PerLayer  Clipping = "per-layer" // each of L layers is clipped to Clip/√L: McMahan et al. 2018
)

// String is c as a sweep file has it.
func (c Clipping) String() string {
	if c == Flat {
		return "flat"
	}
	return string(c)
}

// An Optimizer is the rule by which gradients move weights.
type Optimizer string

const (
	SGD  Optimizer = ""     // stochastic gradient descent, as in the paper; with Momentum, Polyak's heavy ball
	Adam Optimizer = "adam" // Kingma and Ba 2015, on the noisy gradient; its weight decay is AdamW's
)

// A Schedule is how the learning rate falls after the warm-up.
type Schedule string

const (
	Constant Schedule = ""       // not at all, as in the paper
	Linear   Schedule = "linear" // in equal steps
	Cosine   Schedule = "cosine" // by half a period of the cosine (Loshchilov and Hutter 2017)
)

// A NoiseSource says who could know the noise.
type NoiseSource string

const (
	// Secure keys sampling and noise from the operating system's generator,
	// once per trial. The key lives in the checkpoint and nowhere else.
	Secure NoiseSource = "secure"
	// Seeded keys them from Params.Seed. Whoever knows the sweep file can
	// subtract the noise: for research, and said so in every export.
	Seeded NoiseSource = "seeded"
)

// An Outcome is what a finished trial measured. Two runs of one seeded trial
// have equal Outcomes but for Seconds and Trainer.
type Outcome struct {
	Accuracy      float64 `json:"accuracy"`       // of the averaged (EMA) weights after the last step; 0 to 1
	LastAccuracy  float64 `json:"last_accuracy"`  // of the last weights themselves; 0 to 1
	Loss          float64 `json:"loss"`           // mean cross-entropy of the averaged weights, in nats
	Split         Split   `json:"split"`          // where accuracy and loss were measured
	Examples      int     `json:"examples"`       // how many examples they were measured on
	Steps         int     `json:"steps"`          // updates made; equal to Params.Steps
	NonFinite     int64   `json:"non_finite"`     // per-example gradients that were not finite and counted as zero
	DataDigest    string  `json:"data_digest"`    // "sha256:…" of the examples, labels and split
	WeightsDigest string  `json:"weights_digest"` // "sha256:…" of the averaged weights
	Trainer       string  `json:"trainer"`        // name and version of the program that trained
	Seconds       float64 `json:"seconds"`        // spent training by the attempt that finished, resumed time not counted
}

// PrivateSelect is the disclosure of a sweep of which only the best trial of each
// target epsilon is ever shown or kept; the others are "research" and "composed".
const PrivateSelect = "private-select"

// A Win is all that a private selection releases: its best trial.
type Win struct {
	Params  Params   `json:"params"`
	Label   string   `json:"label"` // what varies in its sweep, for people
	Outcome Outcome  `json:"outcome"`
	Test    []Metric `json:"test,omitempty"` // its test figure, which chose nothing
}

// A State is where a trial stands.
type State string

const (
	Pending   State = "pending"   // to be run
	Running   State = "running"   // an attempt is at it
	Completed State = "completed" // its outcome is recorded
	Failed    State = "failed"    // no attempt is left, or no retry can help
	Stopped   State = "stopped"   // cancelled; resumes from its checkpoint
)
