//! The words that parameters of event faults take.

use crate::plan::fault::declare::words;

words! {
    /// The key of the verdicts on the prompt.
    pub enum PromptKey {
        /// Today's.
        Results = "prompt_filter_results",
        /// That of 2023.
        Annotations = "prompt_annotations",
    }
}

words! {
    /// How something is missing.
    pub enum Missing {
        /// There is no such key.
        Absent = "absent",
        /// The value is null.
        Null = "null",
    }
}

words! {
    /// The finish reason after truncated arguments.
    pub enum ArgsFinish {
        /// `length`.
        Length = "length",
        /// `tool_calls`, as if they were whole.
        ToolCalls = "tool_calls",
        /// None.
        None = "none",
    }
}

words! {
    /// The index of tool calls.
    pub enum IndexForm {
        /// As it should be.
        Right = "right",
        /// Missing.
        Missing = "missing",
        /// 0 for all.
        Zero = "zero",
        /// Counted from 1.
        FromOne = "from-one",
    }
}

words! {
    /// The id of tool calls.
    pub enum IdForm {
        /// As it should be.
        Right = "right",
        /// Missing.
        Missing = "missing",
        /// An empty string.
        Empty = "empty",
        /// In each delta.
        Repeated = "repeated",
    }
}

words! {
    /// The type of tool calls.
    pub enum TypeForm {
        /// As it should be.
        Right = "right",
        /// Missing.
        Missing = "missing",
    }
}

words! {
    /// The name of tool calls.
    pub enum NameForm {
        /// As it should be.
        Right = "right",
        /// An empty string.
        Empty = "empty",
    }
}

words! {
    /// The order of choices.
    pub enum Order {
        /// In turn, the last choice first.
        Reverse = "reverse",
        /// One choice after the other.
        Grouped = "grouped",
        /// As the seed shuffles them.
        Shuffled = "shuffled",
    }
}

words! {
    /// What is wrong with a role.
    pub enum RoleForm {
        /// In each delta.
        Repeat = "repeat",
        /// In none.
        Missing = "missing",
        /// An empty string.
        Empty = "empty",
    }
}

words! {
    /// How content is missing.
    pub enum ContentForm {
        /// `null`.
        Null = "null",
        /// No such key.
        Absent = "absent",
        /// The text is in `reasoning_content`.
        ReasoningOnly = "reasoning-only",
    }
}

words! {
    /// How a finish reason is missing.
    pub enum FinishForm {
        /// `null`.
        Null = "null",
        /// An empty string.
        Empty = "empty",
        /// No such key.
        Absent = "absent",
    }
}

words! {
    /// What comes after the finish.
    pub enum After {
        /// Token usage.
        Usage = "usage",
        /// Text.
        Text = "text",
        /// An empty delta.
        Empty = "empty",
    }
}

words! {
    /// The choices of a usage chunk.
    pub enum Choices {
        /// An empty list.
        Empty = "empty",
        /// No such key.
        Absent = "absent",
        /// `null`.
        Null = "null",
    }
}

words! {
    /// A character that some take for the end of a line.
    pub enum Separator {
        /// U+2028.
        Line = "2028",
        /// U+2029.
        Paragraph = "2029",
        /// U+0085.
        NextLine = "0085",
        /// All three.
        All = "all",
    }
}

words! {
    /// The shape of an error in a stream.
    pub enum ErrorShape {
        /// `{"error":{…}}`.
        OpenAi = "openai",
        /// `event: error`, `{"type":"error","message":…}`.
        Flat = "flat",
        /// `{"error":"…"}`.
        String = "string",
        /// `event: error`, `{"type":"error","error":{…}}`.
        Anthropic = "anthropic",
    }
}

words! {
    /// What follows an error in a stream.
    pub enum Then {
        /// `[DONE]`.
        Done = "done",
        /// FIN, without the last chunk.
        Close = "close",
        /// The end of the body, as valid HTTP.
        End = "end",
    }
}
