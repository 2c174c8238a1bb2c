package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekey-aws/rekey/shared/apikey"
	"github.com/rekey-aws/rekey/shared/rotation"
	"github.com/rekey-aws/rekey/shared/rotation/rotationtest"
)

// vendor is a [apikey.Provider] in memory that breaks the test when a promise of
// the engine is broken.
type vendor struct {
	t      *testing.T
	traits apikey.Traits
	probes bool
	faults rotationtest.Injector
	now    func() time.Time

	mu       sync.Mutex
	keys     []*issued
	made     int
	most     int // live at once
	orders   map[string]*issued
	usedUp   map[string]bool // credentials that issuing has used up
	replayed bool
}

type issued struct {
	apikey.Key
	ended bool
}

func (v *vendor) Traits() apikey.Traits { return v.traits }
func (v *vendor) Probes() bool          { return v.probes }

func (v *vendor) plant(id, secret string) *issued {
	k := &issued{Key: apikey.Key{ID: id, Name: "made by hand", Created: v.now(), Material: apikey.Material{
		"secret": rotation.TextValue(secret), "id": rotation.TextValue(id),
	}}}
	v.keys = append(v.keys, k)
	return k
}

func (v *vendor) live() (keys []*issued) {
	for _, k := range v.keys {
		if !k.ended {
			keys = append(keys, k)
		}
	}
	return keys
}

func (v *vendor) find(secret string) *issued {
	for _, k := range v.keys {
		if k.Material.Text("secret") == secret {
			return k
		}
	}
	return nil
}

func (v *vendor) Issue(_ context.Context, a apikey.Account, o apikey.Order) (k apikey.Key, err error) {
	err = v.faults.Do("Issue", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		using := a.Current.Material.Text("secret")
		if v.traits.Once && v.usedUp[using] {
			v.replayed = true
			for _, k := range v.keys {
				k.ended = true
			}
			return apikey.NotSent(rotation.ErrRefused)
		}
		if again := v.orders[o.Idempotency]; v.traits.Idempotent && again != nil {
			k = again.Key
			return nil
		}
		if v.traits.Limit > 0 && len(v.live()) >= v.traits.Limit {
			v.t.Errorf("a key was ordered although %d live", len(v.live()))
			return apikey.NotSent(apikey.ErrLimit)
		}
		if v.traits.Once {
			v.usedUp[using] = true
			v.find(using).ended = v.traits.Class == apikey.Replace
		}
		v.made++
		made := v.plant(fmt.Sprintf("id-%d", v.made), fmt.Sprintf("secret-%d", v.made))
		made.Name = o.Name
		v.orders[o.Idempotency] = made
		v.most = max(v.most, len(v.live()))
		k = made.Key
		return nil
	})
	if err != nil && !errors.Is(err, apikey.ErrNotSent) && strings.Contains(err.Error(), "not done") {
		err = fmt.Errorf("the answer is unknown: %w", rotation.ErrUnreachable) // the engine cannot know
	}
	return k, err
}

func (v *vendor) Check(_ context.Context, _ apikey.Account, k apikey.Key) error {
	return v.faults.Do("Check", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		found := v.find(k.Material.Text("secret"))
		if found == nil || found.ended {
			return apikey.NotSent(rotation.ErrRefused)
		}
		found.LastUsed = v.now().Add(-2 * time.Hour)
		return nil
	})
}

func (v *vendor) List(context.Context, apikey.Account) (keys []apikey.Key, err error) {
	err = v.faults.Do("List", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, k := range v.live() {
			listed := k.Key
			listed.Material = nil
			if !v.traits.Named {
				listed.Name = ""
			}
			keys = append(keys, listed)
		}
		return nil
	})
	return keys, err
}

func (v *vendor) Revoke(_ context.Context, _ apikey.Account, k apikey.Key) error {
	return v.faults.Do("Revoke", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, mine := range v.keys {
			if mine.ID == k.ID {
				mine.ended = true
			}
		}
		return nil
	})
}

func (v *vendor) Unused(_ context.Context, a apikey.Account) (bool, error) {
	var unused bool
	err := v.faults.Do("Unused", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		unused = !v.usedUp[a.Current.Material.Text("secret")]
		return nil
	})
	return unused, err
}

func (v *vendor) Provider(name string) (apikey.Provider, error) {
	if name != "test" {
		return nil, fmt.Errorf("no provider %q: %w", name, rotation.ErrConfig)
	}
	return v, nil
}
