package declarative

// list is a compiled [List].
type list struct {
	request
	items, id                                       expression
	name, created, lastUsed, expires, active, where *expression
	cursor                                          *expression
	next                                            Next
}

func (c *compiler) list(l *List) *list {
	if l == nil {
		return nil
	}
	out := &list{request: *c.request(inList, "list", &l.Request)}
	out.repeatable = true
	for _, e := range []struct {
		name, text string
		to         *expression
	}{{"items", l.Items, &out.items}, {"id", l.ID, &out.id}} {
		if x := c.expression("list."+e.name, e.text); x != nil {
			*e.to = *x
		}
	}
	for _, e := range []struct {
		name, text string
		to         **expression
	}{
		{"name", l.Name, &out.name},
		{"created", l.Created, &out.created},
		{"lastUsed", l.LastUsed, &out.lastUsed},
		{"expires", l.Expires, &out.expires},
		{"active", l.Active, &out.active},
		{"where", l.Where, &out.where},
	} {
		if e.text != "" {
			*e.to = c.expression("list."+e.name, e.text)
		}
	}
	if l.Next != nil {
		c.next(l, out)
	}
	return out
}

func (c *compiler) next(l *List, out *list) {
	n := *l.Next
	out.next = n
	if n.Cursor != "" {
		out.cursor = c.expression("list.next.cursor", n.Cursor)
	}
	ways := 0
	for _, there := range []bool{n.Cursor != "", n.FirstPage != nil, n.Offset, n.Link} {
		if there {
			ways++
		}
	}
	if ways != 1 {
		c.add("list.next", "needs exactly one of cursor, firstPage, offset and link")
	}
	if (n.FirstPage != nil || n.Offset) && (n.Parameter == "" || n.Size == 0) {
		c.add("list.next", `needs "parameter" and "size"`)
	}
}
