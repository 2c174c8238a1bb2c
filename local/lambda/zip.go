package lambda

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"os"
	"time"
)

// zipTime is the one time stamp in every archive: the first that the format can hold.
var zipTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Zip writes the deployment package of a compiled function: an archive that holds only the
// file bootstrap, executable. It returns the archive's size in bytes. Equal binaries give
// equal archives under one Go release.
// https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html
func Zip(binary, out string) (int64, error) {
	size, err := writeZip(binary, out)
	if err != nil {
		return 0, fmt.Errorf("packing %s into %s: %w", binary, out, err)
	}
	return size, nil
}

func writeZip(binary, out string) (size int64, err error) {
	in, err := os.Open(binary)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }()
	file, err := os.Create(out)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	archive := zip.NewWriter(file)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: zipTime}
	header.SetMode(0o755)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, in); err != nil {
		return 0, err
	}
	if err := archive.Close(); err != nil {
		return 0, err
	}
	return file.Seek(0, io.SeekCurrent)
}
