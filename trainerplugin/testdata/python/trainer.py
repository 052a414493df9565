"""An example of a sweep trainer: DP-SGD for logistic regression, in plain Python."""
import hashlib, json, math, os, random, secrets, threading, time

import grpc
import plugin, trainer_pb2 as pb

NAME, VERSION, DIM, POOL, TEST = "python-example", "1", 4, 2000, 500
stops = {}  # the running trials, and the events by which they are told to stop


def sha(*parts):
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def points(part, n):  # two clouds of points, always the same
    r = random.Random("points/" + part)
    labels = [r.choice((-1, 1)) for _ in range(n)]
    return [([1.0] + [r.gauss(0.5 * y, 1) for _ in range(DIM - 1)], y) for y in labels]


def refuse_impossible(j, context):
    p = j.params
    for ok, why in (
            (p.model == "logistic", "model: there is only logistic"),
            (p.data.name == "points", "data.name: there is only points"),
            (1 <= p.data.train <= POOL - p.data.validation, f"data.train: there are {POOL} points"),
            (1 <= p.batch_size <= p.data.train, "batch_size: it must be from 1 to data.train"),
            (p.clip_norm > 0 and p.noise_multiplier >= 0 and p.learning_rate > 0 and p.steps >= 1, "clip_norm, learning_rate and steps must be above 0"),
            (p.noise in ("secure", "seeded"), "noise: it is secure or seeded"),
            (p.augmult == 0, "augmult: points have no views")):
        if not ok:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)


def load(path, trial):  # a whole checkpoint of this trial, or None; and what was wrong with it
    try:
        with open(path) as f:
            state, digest = json.load(f)
        if digest != sha(state):
            raise ValueError("its digest does not match")
        return (state, None) if state["trial"] == trial else (None, None)
    except FileNotFoundError:
        return None, None
    except (ValueError, KeyError, TypeError) as e:
        return None, f"passed over the damaged checkpoint {os.path.basename(path)}: {e}"


def save(path, state):
    text = json.dumps([state, sha(state)]).encode()
    with open(os.open(path + ".tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".tmp", path)
    return pb.TrainEvent(checkpoint=pb.Checkpoint(step=state["step"], file=os.path.basename(path), bytes=len(text),
                                                  digest="sha256:" + hashlib.sha256(text).hexdigest()))


def update(s, p, data):  # one step of DP-SGD on the state s
    r = random.Random(f"{s['key']}/{s['step']}")  # random.Random is for this example; private training needs a cryptographic generator
    total, norms, loss = [0.0] * DIM, [], 0.0
    for x, y in data:
        if r.random() >= p.batch_size / p.data.train:
            continue
        margin = y * sum(a * b for a, b in zip(s["w"], x))
        loss += math.log1p(math.exp(-margin))
        g = [-y * a / (1 + math.exp(margin)) for a in x]
        norms.append(math.hypot(*g))
        scale = min(1 / p.clip_norm, 1 / (norms[-1] + 1e-10))
        total = [t + scale * a for t, a in zip(total, g)]
    noisy = [t + r.gauss(0, p.noise_multiplier) for t in total]
    s["w"] = [w - p.learning_rate * g / p.batch_size for w, g in zip(s["w"], noisy)]
    decay = min(p.ema, (1 + s["step"]) / (10 + s["step"]))
    s["ema"] = [decay * e + (1 - decay) * w for e, w in zip(s["ema"], s["w"])]
    s["step"] += 1
    n = max(1, len(norms))
    return pb.Progress(step=s["step"], batch_size=len(norms), loss=loss / n, learning_rate=p.learning_rate,
                       grad_norm_mean=sum(norms) / n, grad_norm_max=max(norms, default=0),
                       clipped_share=sum(a > p.clip_norm for a in norms) / n)


def evaluate(s, p, split=None):
    split = split or ("validation" if p.data.validation else "test")
    data = points("train", POOL)[p.data.train:p.data.train + p.data.validation] if split == "validation" else points("test", TEST)
    margins = {k: [y * sum(a * b for a, b in zip(s[k], x)) for x, y in data] for k in ("w", "ema")}
    share = {k: sum(m > 0 for m in v) / len(data) for k, v in margins.items()}
    return pb.Evaluation(step=s["step"], split=split, examples=len(data), accuracy=share["ema"], last_accuracy=share["w"],
                         loss=sum(math.log1p(math.exp(-m)) for m in margins["ema"]) / len(data))


def describe(request, context):
    return pb.DescribeReply(name=NAME, version=VERSION, devices=["cpu"], models=["logistic"], datasets=["points"])


def check(request, context):
    refuse_impossible(request.job, context)
    d = request.job.params.data
    return pb.CheckReply(memory_bytes=50 << 20, parameters=DIM, example_flop=6 * DIM, microbatch=1,
                         data_digest="sha256:" + sha("points", d.train, d.validation), train_examples=POOL)


def stop(request, context):
    asked = stops.get(request.trial)
    if asked:
        asked.set()
    return pb.StopReply(running=asked is not None)


def train(request, context):
    j, p = request.job, request.job.params
    refuse_impossible(j, context)
    asked = stops[j.trial] = threading.Event()
    try:
        path, begun = os.path.join(j.dir, "checkpoint.json"), time.monotonic()
        s, damage = load(path, j.trial)
        first = pb.Started(step=s["step"] if s else 0, checkpoint="checkpoint.json" if s else "")
        if not s:
            key = secrets.token_hex(32) if p.noise == "secure" else f"seed {p.seed}"
            s = {"trial": j.trial, "step": 0, "key": key, "w": [0.0] * DIM, "ema": [0.0] * DIM}
        first.noise_id = sha("noise id", s["key"])[:16]
        yield pb.TrainEvent(started=first)
        if damage:
            yield pb.TrainEvent(note=pb.Note(step=s["step"], text=damage))
        data, reported, saved = points("train", POOL)[:p.data.train], -math.inf, begun
        while s["step"] < p.steps:
            if asked.is_set():
                yield save(path, s)
                context.abort(grpc.StatusCode.ABORTED, f"stopped after step {s['step']}")
            progress, now = update(s, p, data), time.monotonic()
            if not math.isfinite(sum(s["w"])):
                context.abort(grpc.StatusCode.OUT_OF_RANGE, f"step {s['step']}: the weights are not finite")
            if now - reported >= j.report_every.ToTimedelta().total_seconds():
                reported, progress.seconds_elapsed = now, now - begun
                yield pb.TrainEvent(progress=progress)
            if j.evaluate_every and s["step"] % j.evaluate_every == 0 and s["step"] < p.steps:
                yield pb.TrainEvent(evaluation=evaluate(s, p))
            due = j.checkpoint_every.ToNanoseconds() / 1e9
            if due and now - saved >= due and s["step"] < p.steps:
                saved = now
                yield save(path, s)
        e = evaluate(s, p)
        yield pb.TrainEvent(evaluation=e)
        if j.evaluate_test and p.data.validation:  # apart: the outcome below knows nothing of it
            yield pb.TrainEvent(evaluation=evaluate(s, p, "test"))
        yield pb.TrainEvent(outcome=pb.Outcome(
            accuracy=e.accuracy, last_accuracy=e.last_accuracy, loss=e.loss, split=e.split, examples=e.examples, steps=s["step"],
            data_digest="sha256:" + sha("points", p.data.train, p.data.validation), weights_digest="sha256:" + sha(s["ema"]),
            trainer=f"{NAME} {VERSION}", seconds=time.monotonic() - begun))
    finally:
        stops.pop(j.trial, None)


if __name__ == "__main__":
    plugin.serve(describe, check, train, stop)
