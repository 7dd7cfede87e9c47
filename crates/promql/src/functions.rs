//! The functions of PromQL and their signatures.

use crate::ValueType;

/// A function's signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub id: FunctionId,
    pub name: &'static str,
    pub arg_types: &'static [ValueType],
    /// 0: exactly `arg_types`. n > 0: the last one may be left out or stand up to n times. −1: any
    /// number of times.
    pub variadic: i8,
    pub return_type: ValueType,
    /// Refused where experimental functions are off.
    pub experimental: bool,
}

impl Function {
    /// The function of that name (case-sensitive).
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().map(|i| &FUNCTIONS[i])
    }

    /// All functions, sorted by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        FUNCTIONS
    }
}

const STABLE: bool = false;
const EXPERIMENTAL: bool = true;

macro_rules! functions {
    ($($status:ident $id:ident $name:literal ($($arg:ident)*) $variadic:literal $ret:ident;)*) => {
        /// Which function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FunctionId { $($id,)* }

        const FUNCTIONS: &[Function] = &[$(Function {
            id: FunctionId::$id,
            name: $name,
            arg_types: &[$(ValueType::$arg,)*],
            variadic: $variadic,
            return_type: ValueType::$ret,
            experimental: $status,
        },)*];
    };
}

// Status, identifier, name, arguments, variadic (see above), result; sorted by name.
functions! {
    STABLE Abs "abs" (Vector) 0 Vector;
    STABLE Absent "absent" (Vector) 0 Vector;
    STABLE AbsentOverTime "absent_over_time" (Matrix) 0 Vector;
    STABLE Acos "acos" (Vector) 0 Vector;
    STABLE Acosh "acosh" (Vector) 0 Vector;
    STABLE Asin "asin" (Vector) 0 Vector;
    STABLE Asinh "asinh" (Vector) 0 Vector;
    STABLE Atan "atan" (Vector) 0 Vector;
    STABLE Atanh "atanh" (Vector) 0 Vector;
    STABLE AvgOverTime "avg_over_time" (Matrix) 0 Vector;
    STABLE Ceil "ceil" (Vector) 0 Vector;
    STABLE Changes "changes" (Matrix) 0 Vector;
    STABLE Clamp "clamp" (Vector Scalar Scalar) 0 Vector;
    STABLE ClampMax "clamp_max" (Vector Scalar) 0 Vector;
    STABLE ClampMin "clamp_min" (Vector Scalar) 0 Vector;
    STABLE Cos "cos" (Vector) 0 Vector;
    STABLE Cosh "cosh" (Vector) 0 Vector;
    STABLE CountOverTime "count_over_time" (Matrix) 0 Vector;
    STABLE DayOfMonth "day_of_month" (Vector) 1 Vector;
    STABLE DayOfWeek "day_of_week" (Vector) 1 Vector;
    STABLE DayOfYear "day_of_year" (Vector) 1 Vector;
    STABLE DaysInMonth "days_in_month" (Vector) 1 Vector;
    STABLE Deg "deg" (Vector) 0 Vector;
    STABLE Delta "delta" (Matrix) 0 Vector;
    STABLE Deriv "deriv" (Matrix) 0 Vector;
    EXPERIMENTAL DoubleExponentialSmoothing "double_exponential_smoothing" (Matrix Scalar Scalar) 0 Vector;
    EXPERIMENTAL End "end" () 0 Scalar;
    STABLE Exp "exp" (Vector) 0 Vector;
    STABLE FirstOverTime "first_over_time" (Matrix) 0 Vector;
    STABLE Floor "floor" (Vector) 0 Vector;
    STABLE HistogramAvg "histogram_avg" (Vector) 0 Vector;
    STABLE HistogramCount "histogram_count" (Vector) 0 Vector;
    STABLE HistogramFraction "histogram_fraction" (Scalar Scalar Vector) 0 Vector;
    STABLE HistogramQuantile "histogram_quantile" (Scalar Vector) 0 Vector;
    EXPERIMENTAL HistogramQuantiles "histogram_quantiles" (Vector String Scalar Scalar) 9 Vector;
    STABLE HistogramStddev "histogram_stddev" (Vector) 0 Vector;
    STABLE HistogramStdvar "histogram_stdvar" (Vector) 0 Vector;
    STABLE HistogramSum "histogram_sum" (Vector) 0 Vector;
    STABLE Hour "hour" (Vector) 1 Vector;
    STABLE Idelta "idelta" (Matrix) 0 Vector;
    STABLE Increase "increase" (Matrix) 0 Vector;
    EXPERIMENTAL Info "info" (Vector Vector) 1 Vector;
    STABLE Irate "irate" (Matrix) 0 Vector;
    STABLE LabelJoin "label_join" (Vector String String String) -1 Vector;
    STABLE LabelReplace "label_replace" (Vector String String String String) 0 Vector;
    STABLE LastOverTime "last_over_time" (Matrix) 0 Vector;
    STABLE Ln "ln" (Vector) 0 Vector;
    STABLE Log10 "log10" (Vector) 0 Vector;
    STABLE Log2 "log2" (Vector) 0 Vector;
    EXPERIMENTAL MadOverTime "mad_over_time" (Matrix) 0 Vector;
    EXPERIMENTAL MaxOf "max_of" (Scalar Scalar) 0 Scalar;
    STABLE MaxOverTime "max_over_time" (Matrix) 0 Vector;
    EXPERIMENTAL MinOf "min_of" (Scalar Scalar) 0 Scalar;
    STABLE MinOverTime "min_over_time" (Matrix) 0 Vector;
    STABLE Minute "minute" (Vector) 1 Vector;
    STABLE Month "month" (Vector) 1 Vector;
    STABLE Pi "pi" () 0 Scalar;
    STABLE PredictLinear "predict_linear" (Matrix Scalar) 0 Vector;
    STABLE PresentOverTime "present_over_time" (Matrix) 0 Vector;
    STABLE QuantileOverTime "quantile_over_time" (Scalar Matrix) 0 Vector;
    STABLE Rad "rad" (Vector) 0 Vector;
    EXPERIMENTAL Range "range" () 0 Scalar;
    STABLE Rate "rate" (Matrix) 0 Vector;
    STABLE Resets "resets" (Matrix) 0 Vector;
    STABLE Round "round" (Vector Scalar) 1 Vector;
    STABLE Scalar "scalar" (Vector) 0 Scalar;
    STABLE Sgn "sgn" (Vector) 0 Vector;
    STABLE Sin "sin" (Vector) 0 Vector;
    STABLE Sinh "sinh" (Vector) 0 Vector;
    STABLE Sort "sort" (Vector) 0 Vector;
    EXPERIMENTAL SortByLabel "sort_by_label" (Vector String) -1 Vector;
    EXPERIMENTAL SortByLabelDesc "sort_by_label_desc" (Vector String) -1 Vector;
    STABLE SortDesc "sort_desc" (Vector) 0 Vector;
    STABLE Sqrt "sqrt" (Vector) 0 Vector;
    EXPERIMENTAL Start "start" () 0 Scalar;
    EXPERIMENTAL StartTimestamp "start_timestamp" (Vector) 0 Vector;
    STABLE StddevOverTime "stddev_over_time" (Matrix) 0 Vector;
    STABLE StdvarOverTime "stdvar_over_time" (Matrix) 0 Vector;
    EXPERIMENTAL Step "step" () 0 Scalar;
    STABLE SumOverTime "sum_over_time" (Matrix) 0 Vector;
    STABLE Tan "tan" (Vector) 0 Vector;
    STABLE Tanh "tanh" (Vector) 0 Vector;
    STABLE Time "time" () 0 Scalar;
    STABLE Timestamp "timestamp" (Vector) 0 Vector;
    EXPERIMENTAL TsOfFirstOverTime "ts_of_first_over_time" (Matrix) 0 Vector;
    EXPERIMENTAL TsOfLastOverTime "ts_of_last_over_time" (Matrix) 0 Vector;
    EXPERIMENTAL TsOfMaxOverTime "ts_of_max_over_time" (Matrix) 0 Vector;
    EXPERIMENTAL TsOfMinOverTime "ts_of_min_over_time" (Matrix) 0 Vector;
    STABLE Vector "vector" (Scalar) 0 Vector;
    STABLE Year "year" (Vector) 1 Vector;
}

#[cfg(test)]
mod tests {
    use super::Function;

    #[test]
    fn sorted_and_found() {
        assert!(Function::all().is_sorted_by(|a, b| a.name < b.name));
        for f in Function::all() {
            assert_eq!(Function::by_name(f.name), Some(f));
        }
        assert_eq!(Function::by_name("Rate"), None);
    }
}
