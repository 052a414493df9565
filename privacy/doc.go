// Package privacy computes what training cost in differential privacy: ε from
// δ, δ from ε, and how much noise a budget needs.
//
// What was done to the data is an [Event]; what it cost is the answer of an
// [Accountant]. Events have a stable JSON form, so that a record of events can
// be priced again by a better accountant without training anything again.
//
// Throughout, σ is the standard deviation of the noise divided by the clipping
// norm, q the chance with which an example enters a step's batch, T the number
// of steps, and ε is in nats. Unless a [Question] says otherwise, neighbouring
// data sets differ by adding or removing one example. Every ε and δ is an upper
// bound unless its accountant is labelled otherwise; see [Accountant.Bound].
//
// No number covers what the events do not mention: hyper-parameters chosen by
// looking at the same data, batches drawn in another way, or noise whose seed
// somebody knows. [Covers] puts that in a sentence.
package privacy
