package lambda

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"fmt"
	"os"
	"runtime"
)

// checkBinary finds out before the first invocation what would otherwise be an obscure
// "exec format error": a file that is missing, not executable or built for another machine.
func checkBinary(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("finding the function's binary: %w: build it first", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("the function's binary %s is not a file: name the executable in it", path)
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fmt.Errorf("the function's binary %s is not executable: chmod +x it, or build it again", path)
	}
	goos, goarch := platformOf(path)
	if goos == "" || goarch == "" || goos == runtime.GOOS && goarch == runtime.GOARCH {
		return nil // one that is not recognized may be a script: starting it will tell
	}
	return fmt.Errorf("the function's binary %s is built for %s/%s, this machine is %s/%s: build it with GOOS=%[4]s GOARCH=%[5]s",
		path, goos, goarch, runtime.GOOS, runtime.GOARCH)
}

// platformOf reads for which system and processor an executable was built, as Go names
// them, or returns "" for what it does not know.
func platformOf(path string) (goos, goarch string) {
	if f, err := elf.Open(path); err == nil {
		defer func() { _ = f.Close() }()
		if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
			goos = "linux" // several systems use ELF; these two do not
		} else {
			goos = runtime.GOOS
		}
		return goos, elfArch(f.Machine)
	}
	if f, err := macho.Open(path); err == nil {
		defer func() { _ = f.Close() }()
		return "darwin", map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu]
	}
	if f, err := pe.Open(path); err == nil {
		defer func() { _ = f.Close() }()
		return "windows", map[uint16]string{
			pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_ARM64: "arm64", pe.IMAGE_FILE_MACHINE_I386: "386",
		}[f.Machine]
	}
	return "", ""
}

func elfArch(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	case elf.EM_386:
		return "386"
	case elf.EM_ARM:
		return "arm"
	case elf.EM_RISCV:
		return "riscv64"
	}
	return ""
}
