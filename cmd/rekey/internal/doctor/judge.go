package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rekey-aws/rekey/cmd/rekey/internal/account"
	"github.com/rekey-aws/rekey/cmd/rekey/internal/fleet"
	"github.com/rekey-aws/rekey/shared/audit"
	"github.com/rekey-aws/rekey/shared/rotation"
)

func ok(check, said string, a ...any) rotation.Finding {
	return rotation.Finding{Check: check, Verdict: rotation.OK, Said: fmt.Sprintf(said, a...)}
}

func warn(check, remedy, said string, a ...any) rotation.Finding {
	return rotation.Finding{Check: check, Verdict: rotation.Warn, Said: fmt.Sprintf(said, a...), Remedy: remedy}
}

func fail(check, remedy, said string, a ...any) rotation.Finding {
	return rotation.Finding{Check: check, Verdict: rotation.Fail, Said: fmt.Sprintf(said, a...), Remedy: remedy}
}

// unseen is the finding about what the caller could not look at: nothing is known to be wrong.
func unseen(check, allow string, err error) rotation.Finding {
	said, remedy := apart(err)
	if errors.Is(err, rotation.ErrDenied) {
		remedy = "Allow " + allow + " to the caller, or ask someone who may."
	}
	return rotation.Finding{Check: check, Verdict: rotation.Skipped, Said: said, Remedy: remedy}
}

// apart is an error of AWS without its remedy, and the remedy.
func apart(err error) (said, remedy string) {
	var p account.CallError
	if errors.As(err, &p) {
		return p.Unwrap().Error(), p.Remedy
	}
	return err.Error(), rotation.Hint(err)
}

// settings are the findings about the secret and what is around it, and symptoms those that
// other findings may explain. Both are in the order in which they are to be mended.
func (f *facts) settings() []rotation.Finding {
	found := []rotation.Finding{f.existence()}
	if f.beyond() {
		return found
	}
	found = append(found, f.rotation(), f.schedule(), f.encryption(), f.guard())
	if aws.ToString(f.secret.RotationLambdaARN) != "" {
		found = append(found, f.program())
		if f.function != nil {
			found = append(found, f.invocation())
		}
	}
	return found
}

func (f *facts) symptoms() []rotation.Finding {
	if f.beyond() {
		return nil
	}
	found := []rotation.Finding{f.labels()}
	if len(f.secret.ReplicationStatus) > 0 {
		found = append(found, f.replicas())
	}
	if aws.ToString(f.secret.RotationLambdaARN) != "" {
		found = append(found, f.lastRotation())
	}
	return found
}

func (f *facts) name() string { return aws.ToString(f.secret.Name) }

func (f *facts) existence() rotation.Finding {
	const check = "secret"
	s := f.secret
	switch {
	case s.DeletedDate != nil:
		return fail(check, "Restore it: aws secretsmanager restore-secret --secret-id "+f.name(), "it is going to be deleted (marked on %s)", day(*s.DeletedDate))
	case f.replica():
		return fail(check, "Look at the primary: rekey doctor "+f.name()+" --region "+*s.PrimaryRegion, "this is a replica; it is rotated in %s", *s.PrimaryRegion)
	case aws.ToString(s.OwningService) != "":
		return fail(check, "Its service rotates it. To have a function rotate a user's password, make a secret of your own for that user.", "it is managed by %s", *s.OwningService)
	case aws.ToString(s.Type) != "":
		return fail(check, "Secrets Manager rotates it with the vendor, without a function.", "it is a managed external secret of the type %s", *s.Type)
	}
	return ok(check, "it is there, last changed %s", ago(f.now, aws.ToTime(s.LastChangedDate)))
}

func (f *facts) rotation() rotation.Finding {
	const check = "rotation"
	switch function := aws.ToString(f.secret.RotationLambdaARN); {
	case function == "":
		return fail(check, "Turn it on: aws secretsmanager rotate-secret --secret-id "+f.name()+" --rotation-lambda-arn FUNCTION --rotation-rules AutomaticallyAfterDays=30",
			"it was never turned on")
	case !aws.ToBool(f.secret.RotationEnabled):
		again := "Turn it on again: aws secretsmanager rotate-secret --secret-id " + f.name()
		versions := f.secret.VersionIdsToStages
		if pending := holder(versions, rotation.Pending); pending != "" && pending != holder(versions, rotation.Current) {
			again += " --client-request-token " + pending // it takes no other while one is not complete
		}
		return fail(check, again, "it is turned off (CancelRotateSecret)")
	default:
		return ok(check, "turned on, with %s", fleet.FunctionName(function))
	}
}

// schedule compares what the schedule asked for with when the secret was last rotated.
func (f *facts) schedule() rotation.Finding {
	const check = "schedule"
	s := f.secret
	every := rhythm(s.RotationRules)
	due := f.due()
	switch {
	case !aws.ToBool(s.RotationEnabled):
		return rotation.Skip(check, "rotation")
	case every == "":
		return warn(check, "Give it one: aws secretsmanager rotate-secret --secret-id "+f.name()+" --rotation-rules AutomaticallyAfterDays=30 --no-rotate-immediately",
			"there is none: the secret is rotated when someone asks for it")
	case !due.IsZero():
		return warn(check, "Mend what fails, then: aws secretsmanager rotate-secret --secret-id "+f.name(),
			"%s: it was due %s, and is overdue (last rotated: %s)", every, ago(f.now, due), rotatedLast(f.now, s.LastRotatedDate))
	case s.NextRotationDate == nil:
		return warn(check, "Set the schedule again (rotate-secret --rotation-rules … --no-rotate-immediately).", "%s, but no next rotation is planned", every)
	}
	return ok(check, "%s; next by %s, last rotated: %s", every, day(*s.NextRotationDate), rotatedLast(f.now, s.LastRotatedDate))
}

// due is when a rotation should have been; zero: none is overdue. The rule is the detection's.
func (f *facts) due() time.Time {
	s := f.secret
	m := audit.Metadata{
		RotationEnabled: aws.ToBool(s.RotationEnabled), LastRotated: aws.ToTime(s.LastRotatedDate), NextRotation: aws.ToTime(s.NextRotationDate),
	}
	if r := s.RotationRules; r != nil {
		m.AfterDays, m.Schedule = int(aws.ToInt64(r.AutomaticallyAfterDays)), aws.ToString(r.ScheduleExpression)
	}
	return m.Due(f.now, time.Duration(audit.DefaultThresholds.OverdueGrace))
}

func rhythm(r *smtypes.RotationRulesType) string {
	switch {
	case r == nil:
		return ""
	case aws.ToString(r.ScheduleExpression) != "":
		return *r.ScheduleExpression
	case aws.ToInt64(r.AutomaticallyAfterDays) == 1:
		return "every day"
	case aws.ToInt64(r.AutomaticallyAfterDays) > 1:
		return fmt.Sprintf("every %d days", *r.AutomaticallyAfterDays)
	}
	return ""
}

func rotatedLast(now time.Time, last *time.Time) string {
	if last == nil {
		return "never"
	}
	return ago(now, *last)
}

// encryption tells whether the secret's key can be used.
func (f *facts) encryption() rotation.Finding {
	const check = "key"
	switch id := aws.ToString(f.secret.KmsKeyId); {
	case id == "":
		return ok(check, "encrypted with AWS's own key (aws/secretsmanager)")
	case f.keyErr != nil && errors.Is(f.keyErr, rotation.ErrNotFound):
		return fail(check, "Give the secret another key and a new value: aws secretsmanager update-secret --kms-key-id.", "the key %s does not exist", id)
	case f.keyErr != nil:
		return unseen(check, "kms:DescribeKey on "+id, f.keyErr)
	}
	switch k := f.key; k.KeyState {
	case kmstypes.KeyStateEnabled:
		return ok(check, "%s is enabled", aws.ToString(k.Arn))
	case kmstypes.KeyStatePendingDeletion, kmstypes.KeyStatePendingReplicaDeletion:
		return fail(check, "Keep it, or nothing that it encrypts can be read again: aws kms cancel-key-deletion, then aws kms enable-key.",
			"%s is going to be deleted", aws.ToString(k.Arn))
	case kmstypes.KeyStateDisabled:
		return fail(check, "Enable it: aws kms enable-key --key-id "+aws.ToString(k.KeyId), "%s is disabled: nobody can read the secret", aws.ToString(k.Arn))
	default:
		return fail(check, "See aws kms describe-key --key-id "+aws.ToString(k.KeyId), "%s cannot be used: it is %s", aws.ToString(k.Arn), k.KeyState)
	}
}

// program tells whether the rotation function is there, and runs.
func (f *facts) program() rotation.Finding {
	const check = "function"
	arn := aws.ToString(f.secret.RotationLambdaARN)
	switch {
	case f.functionErr != nil && errors.Is(f.functionErr, rotation.ErrNotFound):
		return fail(check, "Deploy it again, or choose another: aws secretsmanager rotate-secret --secret-id "+f.name()+" --rotation-lambda-arn FUNCTION",
			"there is no function %s", arn)
	case f.functionErr != nil:
		return unseen(check, "lambda:GetFunctionConfiguration on "+arn, f.functionErr)
	}
	c := f.function
	switch {
	case c.State == lambdatypes.StateFailed:
		return fail(check, "Deploy it again.", "%s cannot run: %s", fleet.FunctionName(arn), aws.ToString(c.StateReason))
	case c.State == lambdatypes.StatePending:
		return warn(check, "Wait a minute, then look again.", "%s is being made ready", fleet.FunctionName(arn))
	case c.LastUpdateStatus == lambdatypes.LastUpdateStatusFailed:
		return warn(check, "Deploy it again: until then its former code runs.", "the last update of %s failed: %s", fleet.FunctionName(arn), aws.ToString(c.LastUpdateStatusReason))
	}
	return ok(check, "%s is there, and ready", fleet.FunctionName(arn))
}

// labels tells of a rotation that began and did not end.
func (f *facts) labels() rotation.Finding {
	const check = "labels"
	current, pending := holder(f.secret.VersionIdsToStages, rotation.Current), holder(f.secret.VersionIdsToStages, rotation.Pending)
	switch {
	case current == "":
		return fail(check, "Store a value that logs in: aws secretsmanager put-secret-value --secret-id "+f.name(), "no version is %s", rotation.Current)
	case pending == "" || pending == current:
		return ok(check, "%s is on version %s, and no rotation is pending", rotation.Current, current)
	}
	if changed := aws.ToTime(f.secret.LastChangedDate); f.failure == nil && f.now.Sub(changed) < underWay {
		return warn(check, "Look again in a few minutes; if it is still so: rekey unstick "+f.name(),
			"a rotation to version %s began %s, and may be under way", pending, ago(f.now, changed))
	}
	return fail(check, "rekey unstick "+f.name(), "a rotation to version %s has not ended: it is stuck in %s", pending, rotation.Pending)
}

// underWay is how long a rotation with its retries is given before it counts as stuck.
const underWay = 15 * time.Minute

func holder(versions map[string][]string, label string) string {
	for id, stages := range versions {
		if slices.Contains(stages, label) {
			return id
		}
	}
	return ""
}

func (f *facts) replicas() rotation.Finding {
	const check = "replicas"
	var regions, behind []string
	for _, r := range f.secret.ReplicationStatus {
		regions = append(regions, aws.ToString(r.Region))
		if r.Status != smtypes.StatusTypeInSync {
			behind = append(behind, strings.TrimSpace(fmt.Sprintf("%s is %s %s", aws.ToString(r.Region), r.Status, aws.ToString(r.StatusMessage))))
		}
	}
	if len(behind) > 0 {
		return warn(check, "See docs/playbooks/replication-failed.md: consumers there may read an older value.", "%s", strings.Join(behind, "; "))
	}
	return ok(check, "in sync: %s", strings.Join(regions, ", "))
}

func (f *facts) lastRotation() rotation.Finding {
	const check = "last rotation"
	switch {
	case f.failure != nil:
		return warn(check, cmp.Or(f.failure.Hint, "Read the function's log, "+f.logGroup()+"."), "%s failed %s (%s): %s", f.failure.Step, ago(f.now, f.failure.Time), f.failure.Kind, f.failure.Error)
	case f.failureErr != nil:
		return unseen(check, "logs:FilterLogEvents on "+f.logGroup(), f.failureErr)
	case f.secret.LastRotatedDate == nil:
		return ok(check, "none has ended yet, and the log of a day knows of no failure")
	}
	return ok(check, "it succeeded %s", ago(f.now, *f.secret.LastRotatedDate))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// ago is a time in the past as a person says it, and the date of one in the future.
func ago(now, then time.Time) string {
	switch d := now.Sub(then); {
	case then.IsZero():
		return "at an unknown time"
	case d < 0:
		return "by " + day(then)
	case d < time.Minute:
		return "just now"
	case d < 2*time.Minute:
		return "a minute ago"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours ago", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(d.Hours()/24))
	}
}
