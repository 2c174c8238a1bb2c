package onemachine

import (
	"context"
	"time"

	"github.com/rekey-aws/rekey/local/cloudtrail"
	"github.com/rekey-aws/rekey/local/eventbus"
	"github.com/rekey-aws/rekey/local/secretsmanager"
)

// Events asks for the records that CloudTrail writes, on a bus with rules. Its functions run
// after the calls that are recorded, and may call the machine back, as long as the queue has
// room for the records of that.
type Events struct {
	Rules       []eventbus.Rule // whose targets are functions of the machine
	DeadLetters string          // a folder; see eventbus.Options
	Queue       int             // of each target; see eventbus.Options

	OnEvent      func(eventbus.Event)
	OnDeadLetter func(eventbus.DeadLetter)
	OnError      func(error) // an event that is lost
}

// busPatience is how long deliveries are waited for at the end, before they are cut short and
// become dead letters.
const busPatience = 10 * time.Second

// record puts the recorder before the hooks of the service.
func (m *Machine) record(e *Events, service *secretsmanager.Options) error {
	if e == nil {
		return nil
	}
	var err error
	m.bus, err = eventbus.New(eventbus.Options{
		Invoker: m.Functions, DeadLetters: e.DeadLetters, Queue: e.Queue, OnEvent: e.OnEvent, OnDeadLetter: e.OnDeadLetter,
	})
	if err != nil {
		return err
	}
	for _, r := range e.Rules {
		if err := m.bus.PutRule(r); err != nil {
			return err
		}
	}
	trail, err := cloudtrail.New(cloudtrail.Options{Put: m.bus.Put, Account: Account, Principal: m.principal, OnError: e.OnError})
	if err != nil {
		return err
	}
	own := func(c secretsmanager.Call) {
		if c.AccessKeyID != Self { // no one's call but the machine's
			trail.Call(c)
		}
	}
	service.OnCall = both(own, service.OnCall)
	service.OnRotation = both(trail.Rotation, service.OnRotation)
	service.OnSecret = both(trail.Secret, service.OnSecret)
	service.OnLabels = both(trail.Labels, service.OnLabels)
	return nil
}

func both[T any](first, second func(T)) func(T) {
	if second == nil {
		return first
	}
	return func(v T) {
		first(v)
		second(v)
	}
}

// principal knows the functions by their names; who else calls is taken for a user.
func (m *Machine) principal(accessKeyID, region string) string {
	for _, f := range m.Functions.Functions() {
		if f.Name() == accessKeyID {
			return role(f)
		}
	}
	return cloudtrail.DefaultPrincipal(Account, accessKeyID, region)
}

func (m *Machine) closeBus() error {
	if m.bus == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), busPatience)
	defer cancel()
	return m.bus.Close(ctx)
}
