"""The types of the suite about formats of strings, and a rule that says what the annotation of each says."""

RULES = {
    "IsEmail": "this.val.isEmail()",
    "IsHostname": "this.val.isHostname()",
    "IsHostAndPort": "this.val.isHostAndPort(this.port_required)",
    "IsIp": "has(this.version) ? this.val.isIp(this.version) : this.val.isIp()",
    "IsIpPrefix": "has(this.version) && has(this.strict) ? this.val.isIpPrefix(this.version, this.strict)"
                  " : has(this.version) ? this.val.isIpPrefix(this.version)"
                  " : has(this.strict) ? this.val.isIpPrefix(this.strict) : this.val.isIpPrefix()",
    "IsUri": "this.val.isUri()",
    "IsUriRef": "this.val.isUriRef()",
}
