package apikey

// Builtin are providers by name that come before those of a directory.
type Builtin struct {
	Providers map[string]Provider
	Others    Directory
}

// Provider implements [Directory].
func (b Builtin) Provider(name string) (Provider, error) {
	if p, ok := b.Providers[name]; ok {
		return p, nil
	}
	return b.Others.Provider(name)
}
