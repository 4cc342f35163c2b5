/** A user of the laboratory in domain Default; the password is the name followed by `pw`. */
export interface LaboratoryAccount {
  readonly username: string;
  readonly project: string;
  readonly roles: readonly string[];
}

/** The administration of a Keystone over its API: enough to fill an empty one. */
export class KeystoneAdministration {
  readonly #url: string;
  #token: string;
  readonly #roles = new Map<string, string>();
  readonly #projects = new Map<string, string>();

  private constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  static async login(url: string): Promise<KeystoneAdministration> {
    return new KeystoneAdministration(url, await KeystoneAdministration.#authenticate(url));
  }

  static async #authenticate(url: string): Promise<string> {
    const domain = { id: 'default' };
    const user = { name: 'admin', domain, password: 'adminpw' };
    const scope = { project: { name: 'admin', domain } };
    const answer = await fetch(`${url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } }),
    });
    const token = answer.headers.get('x-subject-token');
    if (token === null) throw new Error(`Keystone gave the administrator no token: ${answer.status}`);
    return token;
  }

  /** Makes users, their projects and roles. */
  async addAccounts(accounts: readonly LaboratoryAccount[]): Promise<void> {
    const { roles } = (await this.#request('GET', '/roles')) as { roles: { id: string; name: string }[] };
    for (const role of roles) this.#roles.set(role.name, role.id);
    for (const account of accounts) {
      const project = await this.#project(account.project);
      const { username: name } = account;
      const user = await this.#create('user', { name, domain_id: 'default', password: `${name}pw` });
      for (const role of account.roles) {
        await this.#request('PUT', `/projects/${project}/users/${user}/roles/${await this.#role(role)}`);
      }
    }
  }

  /** Gives users roles in their projects, or takes them away. */
  async changeRole(method: 'PUT' | 'DELETE', username: string, project: string, role: string): Promise<void> {
    const find = async (kind: string, name: string): Promise<string> => {
      const found = (await this.#request('GET', `/${kind}?name=${name}`)) as Record<string, { id: string }[]>;
      return found[kind]?.[0]?.id as string;
    };
    const [user, inProject, roleId] = await Promise.all([
      find('users', username),
      find('projects', project),
      find('roles', role),
    ]);
    await this.#request(method, `/projects/${inProject}/users/${user}/roles/${roleId}`);
  }

  /** Puts a service into the catalog. */
  async addService(type: string, url: string): Promise<void> {
    const service = await this.#create('service', { type, name: type });
    for (const name of ['public', 'internal', 'admin']) {
      await this.#create('endpoint', { service_id: service, interface: name, region_id: 'RegionOne', url });
    }
  }

  async #project(name: string): Promise<string> {
    const known = this.#projects.get(name);
    if (known !== undefined) return known;
    const id = await this.#create('project', { name, domain_id: 'default' });
    this.#projects.set(name, id);
    return id;
  }

  async #role(name: string): Promise<string> {
    const known = this.#roles.get(name);
    if (known !== undefined) return known;
    const id = await this.#create('role', { name });
    this.#roles.set(name, id);
    return id;
  }

  async #create(kind: string, fields: object): Promise<string> {
    const answer = (await this.#request('POST', `/${kind}s`, { [kind]: fields })) as Record<
      string,
      { id: string }
    >;
    return answer[kind]?.id as string;
  }

  async #request(method: string, path: string, body?: unknown): Promise<unknown> {
    const send = (): Promise<Response> =>
      fetch(`${this.#url}${path}`, {
        method,
        headers: { 'content-type': 'application/json', 'x-auth-token': this.#token },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    let answer = await send();
    if (answer.status === 401) {
      // tokens may be good for some seconds only
      this.#token = await KeystoneAdministration.#authenticate(this.#url);
      answer = await send();
    }
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Keystone, ${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  }
}
