package page

import (
	"context"
	"sync"
)

// A memo remembers what pages have asked the record, as long as nobody writes to
// it: with several pages open on a large sweep each question is answered once.
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

// recall returns what ask found when it was last asked under that key, or has it
// ask. Of several that ask at once one does.
func recall[T any](ctx context.Context, s *Site, key string, ask func(context.Context) (T, error)) (T, error) {
	version, err := s.watch.Version(ctx)
	if err != nil {
		var none T
		return none, err
	}
	a := s.memo.answer(version, key)
	// Whoever waits for the answer must not depend on whether the one who asks stays.
	a.once.Do(func() { a.value, a.err = ask(context.WithoutCancel(ctx)) })
	value, _ := a.value.(T)
	return value, a.err
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
