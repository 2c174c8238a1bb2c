package onemachine

import (
	"context"

	"github.com/rekey-aws/rekey/local/scheduler"
)

// Scheduler is EventBridge Scheduler for the machine's functions. Its Invoker, Region and
// Account are the machine's.
func Scheduler(o scheduler.Options) func(*Machine) (Service, error) {
	return func(m *Machine) (Service, error) {
		o.Invoker, o.Region, o.Account = m.Functions, m.Region, Account
		server, err := scheduler.New(o)
		if err != nil {
			return Service{}, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- server.Run(ctx) }()
		stop := func() error {
			cancel()
			return <-ended
		}
		return Service{API: server, Stop: stop}, nil
	}
}
