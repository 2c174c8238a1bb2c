package detect

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// logFile is one to read, or why it cannot be.
type logFile struct {
	name string
	open func() (io.ReadCloser, error)
}

// finder finds log files.
type finder struct {
	until  time.Time // files of later days hold nothing that is shown
	totals *totals
}

// each yields the files of every path: a file itself, a folder's files in the order of their
// time.
func (f *finder) each(paths []string) iter.Seq[logFile] {
	return func(yield func(logFile) bool) {
		for _, path := range paths {
			if !f.path(path, yield) {
				return
			}
		}
	}
}

func (f *finder) path(path string, yield func(logFile) bool) bool {
	if path == "-" {
		return yield(logFile{"standard input", func() (io.ReadCloser, error) { return io.NopCloser(os.Stdin), nil }})
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return yield(onDisk(path)) // opening tells what is wrong
	}
	return f.folder(path, yield)
}

func onDisk(path string) logFile {
	return logFile{path, func() (io.ReadCloser, error) {
		file, err := os.Open(path)
		if cause := (*os.PathError)(nil); errors.As(err, &cause) {
			err = cause.Err
		}
		return file, err
	}}
}

// day ends the path of a folder in which a trail stores the files of a day of one Region:
// AWSLogs/ACCOUNT/CloudTrail/REGION/2026/07/15.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
var day = regexp.MustCompile(`/([0-9]{4}/[0-9]{2}/[0-9]{2})$`)

// notLogs are folders beside CloudTrail's that hold something else: what proves log files
// unchanged, and events of other kinds.
var notLogs = map[string]bool{"CloudTrail-Digest": true, "CloudTrail-Insight": true, "CloudTrail-NetworkActivity": true, "CloudTrail-Aggregated": true}

// folder yields files that lie around first, then days, each with its files of all Regions
// and accounts together: what is counted is counted over Regions. It remembers the days'
// folders, and the files of one day at a time.
func (f *finder) folder(root string, yield func(logFile) bool) bool {
	days := map[string][]string{}
	going := true
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch match := day.FindStringSubmatch(filepath.ToSlash(path)); {
		case err != nil:
			going = yield(broken(path, err))
		case entry.IsDir() && notLogs[entry.Name()]:
			f.totals.digests++
			return fs.SkipDir
		case entry.IsDir() && match != nil:
			days[match[1]] = append(days[match[1]], path)
			return fs.SkipDir
		case entry.IsDir():
		case isLog(entry.Name()):
			going = yield(onDisk(path))
		default:
			f.totals.left++
		}
		if !going {
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return yield(broken(root, err))
	}
	if !going {
		return false
	}
	for _, d := range sortedKeys(days) {
		if at, err := time.Parse("2006/01/02", d); err == nil && !f.until.IsZero() && at.After(f.until.AddDate(0, 0, 1)) {
			break // files are delivered within minutes: none of this day has older events
		}
		if !f.day(days[d], yield) {
			return false
		}
	}
	return true
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// delivered is the time in the name of a log file: ACCOUNT_CloudTrail_REGION_20260715T1520Z_ID.json.gz
var delivered = regexp.MustCompile(`_([0-9]{8}T[0-9]{4}Z)_`)

func (f *finder) day(folders []string, yield func(logFile) bool) bool {
	type named struct{ time, path string }
	var files []named
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil && !yield(broken(folder, err)) {
			return false
		}
		for _, e := range entries {
			if e.IsDir() || !isLog(e.Name()) {
				f.totals.left++
				continue
			}
			at := ""
			if match := delivered.FindStringSubmatch(e.Name()); match != nil {
				at = match[1]
			}
			files = append(files, named{at, filepath.Join(folder, e.Name())})
		}
	}
	slices.SortFunc(files, func(a, b named) int {
		if a.time != b.time {
			return strings.Compare(a.time, b.time)
		}
		return strings.Compare(a.path, b.path)
	})
	for _, file := range files {
		if !yield(onDisk(file.path)) {
			return false
		}
	}
	return true
}

func broken(path string, err error) logFile {
	return logFile{path, func() (io.ReadCloser, error) { return nil, err }}
}

func isLog(name string) bool {
	name = strings.TrimSuffix(name, ".gz")
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson", ".log":
		return true
	}
	return false
}
