// Package eventbus is Amazon EventBridge's default event bus on one machine: rules with
// event patterns, which hand the events that match to local functions, at least once, with
// retries and dead letters.
//
//	bus, err := eventbus.New(eventbus.Options{Invoker: functions, DeadLetters: dir})
//	err = bus.PutRule(eventbus.Rule{Name: "failed", Pattern: `{"detail": {"eventName": ["RotationFailed"]}}`,
//		Targets: []eventbus.Target{{Function: "audit-forwarder"}}})
//	err = bus.Put(ctx, event)
//	err = bus.Close(ctx) // every event is delivered, or is a dead letter
//
// # Patterns
//
// A pattern is a JSON object in this grammar. It follows the user guide
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html)
// and, where that is silent, EventBridge's own matcher
// (https://github.com/aws/event-ruler).
//
//	pattern     = object
//	object      = { name: object | values, …, "$or": [object, object, …] }     at least one member
//	values      = [ value, … ]                                                 at least one
//	value       = string | number | true | false | null | comparison
//	comparison  = {"prefix": text} | {"suffix": text}
//	            | {"equals-ignore-case": string} | {"wildcard": string}
//	            | {"numeric": [sign, number]} | {"numeric": [">"|">=", number, "<"|"<=", number]}
//	            | {"cidr": prefix} | {"exists": true | false}
//	            | {"anything-but": string | number | [string, …] | [number, …] | negated}
//	text        = string | {"equals-ignore-case": string}
//	sign        = "=" | "<" | "<=" | ">" | ">="
//	negated     = {"prefix" | "suffix" | "equals-ignore-case" | "wildcard": string | [string, …]}
//
// All members of an object must match, and one of the values of a field; one alternative of
// each $or. What a pattern does not name is ignored.
//
//   - An array in the event matches if one of its elements does, at any depth. The fields of
//     one object in the pattern match in one object of the event only: never some in one
//     element of an array and some in another.
//   - Numbers are compared as they are written: 300, 300.0 and 3.0e2 differ. The exceptions
//     are numeric and anything-but, which compare values, from -5.0e9 to 5.0e9.
//   - null matches null, not a missing field. exists is about fields with a value other than
//     an object, null included; false needs the field to be absent from the whole event.
//   - anything-but needs a value to be there, of any type: a number is something other than a
//     string.
//   - In a wildcard, * stands for any text; \* and \\ for the characters themselves.
//
// Unlike EventBridge, a dot in a name is nothing special, and a list under $or that cannot
// be alternatives is refused, not taken for a field of that name.
package eventbus
