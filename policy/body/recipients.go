package body

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// place is the meaning of a value for Graph, as far as the value may name a recipient.
type place uint8

const (
	outside        place = iota // nothing that names one
	holder                      // an object that may have lists of recipients: a message, an event, a rule of an inbox
	recipient                   // {"emailAddress":{"address":...}}, or an attendee of an online meeting {"upn":...}
	driveRecipient              // {"email":...}, {"alias":...} or {"objectId":...}
	emailAddress                // {"address":...}
	address                     // an address of mail
	alias                       // another name of a recipient, not an address
)

func (p place) isRecipient() bool { return p != outside && p != holder }

// placeBelow returns the meaning for Graph of a property of a value. The names are in lower case. They are from
// https://learn.microsoft.com/graph/api/resources/: message, event, recipient, attendee, post, conversationThread,
// messageRuleActions, driveRecipient, invitation, invitedUserMessageInfo, calendarPermission and meetingParticipants,
// and from https://learn.microsoft.com/graph/api/: user-sendmail, message-forward, message-reply, event-forward,
// post-forward, driveitem-invite, permission-grant, conversationthread-reply and findmeetingtimes.
func placeBelow(p place, folded []byte) place {
	switch p {
	case holder:
		return placeIn(folded)
	case recipient, driveRecipient:
		switch string(folded) {
		case "emailaddress":
			return emailAddress
		case "email", "address", "upn":
			return address
		case "alias", "objectid", "userid":
			return alias
		}
	case emailAddress:
		if string(folded) == "address" {
			return address
		}
	}
	return outside
}

// placeIn is placeBelow for a holder.
func placeIn(folded []byte) place {
	switch string(folded) {
	case "message", "actions", "invitedusermessageinfo", "post", "posts", "threads", "participants":
		return holder
	case "torecipients", "ccrecipients", "bccrecipients", "replyto", "from", "sender", "attendees", "newparticipants",
		"forwardto", "redirectto", "forwardasattachmentto":
		return recipient
	case "recipients":
		return driveRecipient
	case "emailaddress":
		return emailAddress
	case "inviteduseremailaddress":
		return address
	}
	return outside
}

// properties are the names of placeIn in the letter case of Graph's documentation, for messages.
var properties = strings.Fields("message actions invitedUserMessageInfo post posts threads participants " +
	"toRecipients ccRecipients bccRecipients replyTo from sender attendees newParticipants " +
	"forwardTo redirectTo forwardAsAttachmentTo recipients emailAddress invitedUserEmailAddress")

// enter returns the meaning of a property for Graph, and records the list of recipients that begins there.
func (j *judge) enter(p place, folded []byte) place {
	q := placeBelow(p, folded)
	if p != holder || q == outside {
		return q
	}
	for _, name := range properties {
		if strings.EqualFold(name, string(folded)) {
			if j.list = name; q == holder {
				j.holder = name
			}
		}
	}
	return q
}

// isList reports whether Graph has a list under a name of placeIn, in its own letter case.
func isList(name string) bool {
	switch name {
	case "toRecipients", "ccRecipients", "bccRecipients", "replyTo", "attendees", "newParticipants", "forwardTo",
		"redirectTo", "forwardAsAttachmentTo", "recipients", "posts", "threads":
		return true
	}
	return false
}

// listMustNotBe refuses a list where Graph has one recipient or one address.
func (j *judge) listMustNotBe(p place) {
	isOne := p == recipient && (j.list == "from" || j.list == "sender")
	if isOne || p == emailAddress || p == address || p == alias {
		j.failRecipient(BadType)
	}
}

func (j *judge) failRecipient(problem Problem) {
	property := j.list
	if j.holder != "" && j.holder != j.list {
		property = j.holder + "/" + j.list
	}
	j.fail(Failure{Reason: reasonRecipients, Property: property, Problem: problem})
}

// recipientText judges a string that Graph may read as a recipient.
func (j *judge) recipientText(p place, s string) {
	switch {
	case !p.isRecipient() || s == "" && (p == address || p == alias):
	case p != address && p != alias:
		j.failRecipient(NoRecipient)
	default:
		j.recipients++
		j.judgeRecipient(p, s)
	}
}

func (j *judge) judgeRecipient(p place, s string) {
	v := j.b.recipients
	isMail := p == address && isAddress(s)
	switch {
	case j.deny:
		j.touched = j.touched || !isMail || v.MayMean(s)
	case v.AllowLiterally(s) || isMail && v.Allow(s):
	case !isMail:
		j.failRecipient(NotAddress)
	default:
		j.failRecipient(BadRecipient)
	}
}

// isAddress reports whether s is one addr-spec (RFC 5322 section 3.4.1) without quotes, comments and literals,
// which mail systems read in different ways. It may contain letters and digits of other alphabets (RFC 6531),
// but no character that a mail system may replace by one with a meaning.
func isAddress(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	if !found || local == "" || domain == "" || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") {
		return false
	}
	return !strings.ContainsFunc(local, func(c rune) bool { return !isAtom(c) && c != '.' }) &&
		!strings.ContainsFunc(domain, func(c rune) bool { return !isInDomain(c) })
}

func isAtom(c rune) bool {
	return isInDomain(c) && c != '.' || strings.ContainsRune("!#$%&'*+/=?^_`{|}~", c)
}

func isInDomain(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.':
		return true
	case c < 0x80:
		return false
	}
	isASCII := strings.ContainsFunc(norm.NFKC.String(string(c)), func(c rune) bool { return c < 0x80 })
	return (unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c)) && !isASCII
}
