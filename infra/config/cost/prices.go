package cost

import "github.com/rekey-aws/rekey/infra/config"

// price is what one unit of something costs in US dollars, in us-east-1.
type price struct {
	dollars float64
	per     float64 // units that the dollars buy
	unit    string
	// regional: dearer in other Regions, see factor.
	regional bool
	source   string
}

func (p price) each() float64 { return p.dollars / p.per }

// AsOf is the day on which the prices below were compared with the pages that they are from.
const AsOf = "2026-11-23"

// The price list. List prices without free tiers, discounts and taxes.
var (
	pricePerSecret   = price{0.40, 1, "secret-month", false, "https://aws.amazon.com/secrets-manager/pricing/"}
	pricePerCall     = price{0.05, 10_000, "call", false, "https://aws.amazon.com/secrets-manager/pricing/"}
	pricePerKey      = price{1.00, 1, "key-month", false, "https://aws.amazon.com/kms/pricing/"}
	pricePerKeyUse   = price{0.03, 10_000, "request", false, "https://aws.amazon.com/kms/pricing/"}
	pricePerEndpoint = price{0.01, 1, "zone-hour", true, "https://aws.amazon.com/privatelink/pricing/"}
	pricePerInvoke   = price{0.20, 1_000_000, "invocation", false, "https://aws.amazon.com/lambda/pricing/"}
	pricePerGBSecond = price{0.0000133334, 1, "GB-second", false, "https://aws.amazon.com/lambda/pricing/"} // arm64
	pricePerAlarm    = price{0.10, 1, "metric-month", true, "https://aws.amazon.com/cloudwatch/pricing/"}
	pricePerMetric   = price{0.30, hoursAMonth, "metric-hour", true, "https://aws.amazon.com/cloudwatch/pricing/"}
	pricePerBoard    = price{3.00, 1, "dashboard-month", false, "https://aws.amazon.com/cloudwatch/pricing/"}
	pricePerLogGB    = price{0.50, 1, "GB", true, "https://aws.amazon.com/cloudwatch/pricing/"}
	pricePerLogKept  = price{0.03, 1, "GB-month", true, "https://aws.amazon.com/cloudwatch/pricing/"}
	pricePerGBKept   = price{0.023, 1, "GB-month", true, "https://aws.amazon.com/s3/pricing/"}
	pricePerWrite    = price{0.625, 1_000_000, "write", true, "https://aws.amazon.com/dynamodb/pricing/on-demand/"}
	pricePerTrace    = price{5.00, 1_000_000, "trace", false, "https://aws.amazon.com/xray/pricing/"}
	pricePerRule     = price{0.001, 1, "evaluation", false, "https://aws.amazon.com/config/pricing/"}
	pricePerMessage  = price{0.50, 1_000_000, "message", true, "https://aws.amazon.com/sns/pricing/"}
)

const hoursAMonth = 730

// factor is an assumption: how much dearer what is priced by Region is there. The pages have
// each Region's own price; these are rounded up from a few of them.
func factor(r config.Region) float64 {
	switch r {
	case "us-east-1", "us-east-2", "us-west-2":
		return 1
	case "sa-east-1", "af-south-1", "me-south-1", "me-central-1", "cn-north-1", "cn-northwest-1":
		return 1.6
	}
	return 1.25
}
