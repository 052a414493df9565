package page

import (
	"context"
	"sync"
)

// A memo remembers what pages have asked, at one version of whatever they asked:
// with several pages open on a large sweep each question is answered once.
type memo struct {
	mu      sync.Mutex
	version int64
	answers map[string]*answer
}

// remembered bounds how many answers are kept.
const remembered = 64

type answer struct {
	once  sync.Once
	value any
	err   error
}

// recall returns what ask found when it was last asked under that key, as long as
// nobody has written to the record since, or has it ask. Of several that ask at once
// one does.
func recall[T any](ctx context.Context, s *Site, key string, ask func(context.Context) (T, error)) (T, error) {
	version, err := s.watch.Version(ctx)
	if err != nil {
		var none T
		return none, err
	}
	return answered(ctx, &s.memo, version, key, ask)
}

// keep is recall for what depends on nothing but its key, whoever writes to the record.
func keep[T any](ctx context.Context, s *Site, key string, ask func(context.Context) (T, error)) (T, error) {
	value, err := answered(ctx, &s.kept, 0, key, ask)
	if err != nil {
		s.kept.forget(key)
	}
	return value, err
}

func answered[T any](ctx context.Context, m *memo, version int64, key string, ask func(context.Context) (T, error)) (T, error) {
	a := m.answer(version, key)
	// Whoever waits for the answer must not depend on whether the one who asks stays.
	a.once.Do(func() { a.value, a.err = ask(context.WithoutCancel(ctx)) })
	value, _ := a.value.(T)
	return value, a.err
}

func (m *memo) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.answers, key)
}

func (m *memo) answer(version int64, key string) *answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.version != version || m.answers == nil || len(m.answers) >= remembered {
		m.version, m.answers = version, map[string]*answer{}
	}
	a := m.answers[key]
	if a == nil {
		a = &answer{}
		m.answers[key] = a
	}
	return a
}
