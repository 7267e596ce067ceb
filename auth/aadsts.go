package auth

// aadsts returns what an AADSTS code means to the operator of an app-only client and what to do; known is false for a
// code that is not in the table. Names with a dollar sign become those of environment variables.
//
// The numbers are those of https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
func aadsts(code int) (cause, cure string, known bool) {
	switch code {
	case 7000215:
		return "the client secret is wrong",
			"put the secret's value into $CLIENT_SECRET or its file: the long string shown once when it was made, " +
				"not the secret's ID", true
	case 7000222:
		return "the client secret has expired",
			"make a new one under Certificates & secrets of the app registration, or change to a certificate", true
	case 7000218:
		return "the token request carried no credential that Entra ID takes",
			"configure a client secret, a certificate or a federated token", true
	case 700016, 700011:
		return "the app is not known in this tenant",
			"check $CLIENT_ID and $TENANT_ID, and the cloud; " +
				"an app of another tenant needs an administrator's consent here first", true
	case 7000229:
		return "the app has no service principal (enterprise application) in this tenant",
			"let an administrator consent to the app in this tenant, which makes one", true
	case 7000112, 70001:
		return "the app is disabled in this tenant",
			"enable it: Enterprise applications, Properties, \"Enabled for users to sign-in\"", true
	case 90002:
		return "the tenant was not found",
			"check $TENANT_ID, and whether it belongs to another cloud (GRAPHPROXY_CLOUD)", true
	case 900023:
		return "the tenant is neither a GUID nor a domain that Entra ID knows", "correct $TENANT_ID", true
	case 50059, 90019:
		return "the token request names no tenant",
			"set $TENANT_ID to the tenant's ID (a GUID) or one of its domains", true
	case 50194, 9001023, 90010, 90130, 90124:
		return "the app cannot sign in at an address for many tenants",
			"set $TENANT_ID to the one tenant's ID (a GUID) or domain", true
	case 700027:
		return "Entra ID does not accept the signature made with the certificate",
			"upload the certificate in $CLIENT_CERTIFICATE_PATH to the app registration (Certificates & secrets), " +
				"and check that it has not been replaced there", true
	case 50012:
		return "the signature or the certificate chain of the assertion is not valid",
			"check that the certificate in $CLIENT_CERTIFICATE_PATH is the one on the app registration; " +
				"with $CLIENT_SEND_CERTIFICATE_CHAIN put the whole chain into the file", true
	case 50013, 500133, 700021, 700023, 700024:
		return "the assertion is outside its time or was made for another audience",
			"check the clock of this machine; a federated token must be fresh and be made for Entra ID", true
	case 700030:
		return "the subject of the certificate is not one that the app registration trusts",
			"check the trusted subject name and issuer of the app registration", true
	case 70021, 700211, 700212, 700213, 7002137, 7002138:
		return "no federated credential of the app matches the token's issuer, subject and audience",
			"compare them with the app registration (Certificates & secrets, Federated credentials); " +
				"they are compared exactly, letter case and a slash at the end included", true
	case 70011, 1002012:
		return "the scope is not valid",
			"$SCOPE must be Graph's address and /.default, such as https://graph.microsoft.com/.default", true
	case 500011:
		return "the service that $SCOPE names is not known in this tenant",
			"check $SCOPE and whether the tenant belongs to another cloud (GRAPHPROXY_CLOUD)", true
	case 650056, 65005, 65001:
		return "the app registration lists no permission for Graph, or no administrator has consented to it",
			"add application permissions for Microsoft Graph to the app registration and grant admin consent", true
	case 65004:
		return "an administrator declined to consent", "ask for admin consent again", true
	case 700025:
		return "the app is registered as a public client, which has no credential",
			"register it as a web app (a confidential client)", true
	case 53003, 530032, 530035:
		return "a Conditional Access policy blocks the app",
			"ask the tenant's administrators which policy for workload identities applies, by location or risk", true
	case 50196:
		return "Entra ID sees a loop: too many equal token requests",
			"look for another program that asks for tokens of the same app without keeping them", true
	case 90038, 900382, 900432:
		return "the tenant belongs to another cloud",
			"set GRAPHPROXY_CLOUD, or $AUTHORITY_HOST, to the tenant's cloud", true
	case 90055, 90033, 90024, 90006, 50033:
		return "Entra ID cannot answer just now", "wait: the proxy goes on trying", true
	case 50049:
		return "Microsoft's instance discovery does not know the authority",
			"check $AUTHORITY_HOST; if it is right, set $INSTANCE_DISCOVERY to false", true
	}
	return "", "", false
}
