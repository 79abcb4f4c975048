/** A maker of bicycles, in the manner of AdventureWorks: words written as one, many small tables with a name. */
export const tradeSql = `
CREATE SCHEMA person; CREATE SCHEMA hr; CREATE SCHEMA sales; CREATE SCHEMA production;
CREATE TABLE person.addresstype (addresstypeid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE person.phonenumbertype (phonenumbertypeid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE person.contacttype (contacttypeid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE person.countryregion (countryregioncode varchar(3) PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE person.stateprovince (stateprovinceid serial PRIMARY KEY, stateprovincecode char(3), name varchar(50) NOT NULL);
CREATE TABLE person.address (
  addressid serial PRIMARY KEY,
  addressline1 varchar(60) NOT NULL, -- personal
  addressline2 varchar(60), -- personal
  city varchar(30) NOT NULL, -- personal
  stateprovinceid int REFERENCES person.stateprovince,
  postalcode varchar(15) NOT NULL, -- personal
  rowguid uuid
);
CREATE TABLE person.person (
  businessentityid int PRIMARY KEY,
  persontype char(2),
  namestyle boolean,
  title varchar(8),
  firstname varchar(50) NOT NULL, -- personal
  middlename varchar(50), -- personal
  lastname varchar(50) NOT NULL, -- personal
  suffix varchar(10),
  emailpromotion int,
  additionalcontactinfo xml, -- personal
  demographics xml -- personal
);
CREATE TABLE person.emailaddress (
  businessentityid int REFERENCES person.person, emailaddressid serial,
  emailaddress varchar(50), -- personal
  PRIMARY KEY (businessentityid, emailaddressid)
);
CREATE TABLE person.password (
  businessentityid int PRIMARY KEY REFERENCES person.person,
  passwordhash varchar(128) NOT NULL, -- personal
  passwordsalt varchar(10) NOT NULL, -- personal
  modifieddate timestamp
);
CREATE TABLE person.personphone (
  businessentityid int REFERENCES person.person,
  phonenumber varchar(25) NOT NULL, -- personal
  phonenumbertypeid int REFERENCES person.phonenumbertype,
  PRIMARY KEY (businessentityid, phonenumber)
);
CREATE TABLE hr.department (departmentid serial PRIMARY KEY, name varchar(50) NOT NULL, groupname varchar(50) NOT NULL);
CREATE TABLE hr.shift (shiftid serial PRIMARY KEY, name varchar(50) NOT NULL, starttime time, endtime time);
CREATE TABLE hr.employee (
  businessentityid int PRIMARY KEY REFERENCES person.person,
  nationalidnumber varchar(15) NOT NULL UNIQUE, -- personal
  loginid varchar(256) NOT NULL, -- personal
  jobtitle varchar(50) NOT NULL,
  birthdate date NOT NULL CHECK (birthdate > '1900-01-01'), -- personal
  maritalstatus char(1) NOT NULL CHECK (maritalstatus IN ('M', 'S')), -- personal
  gender char(1) NOT NULL CHECK (gender IN ('M', 'F')), -- personal
  hiredate date NOT NULL,
  vacationhours smallint
);
CREATE TABLE hr.jobcandidate (
  jobcandidateid serial PRIMARY KEY, businessentityid int,
  resume xml -- personal
);
CREATE TABLE sales.creditcard (
  creditcardid serial PRIMARY KEY, cardtype varchar(50) NOT NULL,
  cardnumber varchar(25) NOT NULL UNIQUE, -- personal
  expmonth smallint, expyear smallint
);
CREATE TABLE sales.currency (currencycode char(3) PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE sales.salesterritory (territoryid serial PRIMARY KEY, name varchar(50) NOT NULL, countryregioncode varchar(3));
CREATE TABLE sales.store (businessentityid int PRIMARY KEY, name varchar(50) NOT NULL, demographics xml);
CREATE TABLE sales.customer (customerid serial PRIMARY KEY, personid int, storeid int, accountnumber varchar(12));
CREATE TABLE sales.salesreason (salesreasonid serial PRIMARY KEY, name varchar(50) NOT NULL, reasontype varchar(50) NOT NULL);
CREATE TABLE sales.specialoffer (specialofferid serial PRIMARY KEY, description varchar(255), type varchar(50), category varchar(50));
CREATE TABLE sales.salesorderheader (
  salesorderid serial PRIMARY KEY, status smallint, purchaseordernumber varchar(25), accountnumber varchar(15), customerid int,
  creditcardid int, subtotal numeric,
  comment varchar(128) -- personal
);
CREATE TABLE production.productcategory (productcategoryid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE production.product (
  productid serial PRIMARY KEY, name varchar(50) NOT NULL, productnumber varchar(25) NOT NULL, color varchar(15), size varchar(5),
  style char(2), class char(2), sellstartdate timestamp
);
CREATE TABLE production.productdescription (productdescriptionid serial PRIMARY KEY, description varchar(400) NOT NULL);
CREATE TABLE production.document (documentnode varchar PRIMARY KEY, title varchar(50), filename varchar(400), documentsummary text, document bytea);
CREATE TABLE production.location (locationid serial PRIMARY KEY, name varchar(50) NOT NULL, costrate numeric);
CREATE TABLE production.unitmeasure (unitmeasurecode char(3) PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE production.scrapreason (scrapreasonid serial PRIMARY KEY, name varchar(50) NOT NULL);
CREATE TABLE production.illustration (illustrationid serial PRIMARY KEY, diagram xml);
CREATE TABLE production.productreview (
  productreviewid serial PRIMARY KEY, productid int,
  reviewername varchar(50) NOT NULL, -- personal
  reviewdate timestamp,
  emailaddress varchar(50) NOT NULL, -- personal
  rating int,
  comments varchar(3850) -- personal
);
CREATE TABLE purchasing_vendor (businessentityid int PRIMARY KEY, accountnumber varchar(15), name varchar(50) NOT NULL, creditrating smallint, purchasingwebserviceurl varchar(1024));
INSERT INTO person.addresstype (name) SELECT unnest(ARRAY['Billing', 'Home', 'Main Office', 'Primary', 'Shipping', 'Archive']);
INSERT INTO person.phonenumbertype (name) SELECT unnest(ARRAY['Cell', 'Home', 'Work']);
INSERT INTO person.contacttype (name) SELECT unnest(ARRAY['Accounting Manager', 'Assistant Sales Agent', 'Owner', 'Purchasing Agent']);
INSERT INTO person.countryregion SELECT 'C' || n, (ARRAY['Andorra', 'Georgia', 'Jordan', 'France', 'Chad'])[n] FROM generate_series(1, 5) n;
INSERT INTO person.stateprovince (stateprovincecode, name) SELECT 'S' || n, (ARRAY['Alberta', 'Virginia', 'Washington', 'Carolina', 'Victoria'])[n] FROM generate_series(1, 5) n;
INSERT INTO person.address (addressline1, city, stateprovinceid, postalcode) SELECT n || ' Napa Ct.', 'Bothell', 1, '98' || lpad(n::text, 3, '0') FROM generate_series(1, 50) n;
INSERT INTO person.person SELECT n, 'EM', false, NULL, (ARRAY['Ken', 'Terri', 'Roberto', 'Rob'])[1 + n % 4], NULL, 'Sanchez' || chr(97 + n % 26), NULL, 0,
  xmlparse(CONTENT '<AdditionalContactInfo><act:telephoneNumber xmlns:act="urn:act"><act:number>206-555-0' || 100 + n || '</act:number></act:telephoneNumber><act:eMail xmlns:act="urn:act"><act:eMailAddress>p' || n || '@example.org</act:eMailAddress></act:eMail></AdditionalContactInfo>'),
  xmlparse(CONTENT '<IndividualSurvey><BirthDate>19' || 50 + n % 40 || '-01-05Z</BirthDate><MaritalStatus>M</MaritalStatus><YearlyIncome>25001-50000</YearlyIncome></IndividualSurvey>')
  FROM generate_series(1, 50) n;
INSERT INTO person.emailaddress SELECT n, n, 'ken' || n || '@adventure.example' FROM generate_series(1, 50) n;
INSERT INTO person.password SELECT n, encode(sha256(n::text::bytea), 'base64'), 'bE3XiWw=' FROM generate_series(1, 50) n;
INSERT INTO person.personphone SELECT n, '697-555-0' || 100 + n, 1 FROM generate_series(1, 50) n;
INSERT INTO hr.department (name, groupname) SELECT unnest(ARRAY['Engineering', 'Sales', 'Marketing']), 'Research and Development';
INSERT INTO hr.shift (name) SELECT unnest(ARRAY['Day', 'Evening', 'Night']);
INSERT INTO hr.employee SELECT n, (295847284 + n * 7)::text, 'adventure-works\\ken' || n, 'Design Engineer', date '1969-01-29' + n, 'S', 'M', '2009-01-14', 99 FROM generate_series(1, 50) n;
INSERT INTO hr.jobcandidate (resume) SELECT xmlparse(CONTENT '<ns:Resume xmlns:ns="urn:r"><ns:Name><ns:Name.First>Shai</ns:Name.First><ns:Name.Last>Bassli</ns:Name.Last></ns:Name><ns:EMail>Shai@example.org</ns:EMail></ns:Resume>') FROM generate_series(1, 5);
INSERT INTO sales.creditcard (cardtype, cardnumber, expmonth, expyear) SELECT 'SuperiorCard', (33332664695310 + n * 13)::text, 11, 2006 FROM generate_series(1, 50) n;
INSERT INTO sales.currency SELECT 'C' || n, (ARRAY['Afghani', 'Euro', 'Lev', 'Dollar'])[n] FROM generate_series(1, 4) n;
INSERT INTO sales.salesterritory (name) SELECT unnest(ARRAY['Northwest', 'Southeast', 'France', 'Germany']);
INSERT INTO sales.store SELECT n, (ARRAY['Next-Door Bike Store', 'Professional Sales', 'Riders Company', 'Valley Bicycle'])[1 + n % 4], xmlparse(CONTENT '<StoreSurvey><AnnualSales>800000</AnnualSales><BankName>United Security</BankName><Specialty>Mountain</Specialty></StoreSurvey>') FROM generate_series(1, 40) n;
INSERT INTO sales.customer (personid, accountnumber) SELECT n, 'AW' || lpad(n::text, 8, '0') FROM generate_series(1, 50) n;
INSERT INTO sales.salesreason (name, reasontype) VALUES ('Price', 'Other'), ('On Promotion', 'Promotion'), ('Magazine', 'Marketing');
INSERT INTO sales.specialoffer (description, type, category) VALUES ('Volume Discount 11 to 14', 'Volume Discount', 'Reseller');
INSERT INTO sales.salesorderheader (status, purchaseordernumber, accountnumber, customerid, comment) SELECT 5, 'PO' || n * 5221, '10-4020-000' || n, n, 'leave at the door' FROM generate_series(1, 30) n;
INSERT INTO production.productcategory (name) VALUES ('Bikes'), ('Components'), ('Clothing');
INSERT INTO production.product (name, productnumber, color) SELECT (ARRAY['Adjustable Race', 'Bearing Ball', 'Madison Frame', 'Chain Stays'])[1 + n % 4] || chr(65 + n % 26), 'AR-' || 5381 + n, 'Silver' FROM generate_series(1, 60) n;
INSERT INTO production.productdescription (description) SELECT 'Chromoly steel frame that is light and responsive, for riders who want the best value on the road' FROM generate_series(1, 30);
INSERT INTO production.document VALUES ('/1', 'Crank Arm Tightening', 'Crank Arm Tightening.doc', 'Reflectors are vital safety components of your bicycle. Always ensure your front and back reflectors are clean.', NULL);
INSERT INTO production.location (name) VALUES ('Tool Crib'), ('Paint'), ('Frame Forming');
INSERT INTO production.unitmeasure VALUES ('BOX', 'Boxes'), ('BTL', 'Bottle');
INSERT INTO production.scrapreason (name) VALUES ('Brake assembly not as ordered'), ('Color incorrect');
INSERT INTO production.illustration (diagram) VALUES ('<Canvas Name="Layer_1" Width="613"><Path Data="F1 M 255"/></Canvas>');
INSERT INTO production.productreview (productid, reviewername, emailaddress, rating, comments) SELECT 1, 'John Smith', 'john' || n || '@fourthcoffee.example', 5, 'I cannot believe I am singing the praises of a pair of socks' FROM generate_series(1, 8) n;
INSERT INTO purchasing_vendor SELECT n, 'AUSTRALI000' || n, (ARRAY['Australia Bike Retailer', 'Allenson Cycles', 'Advanced Bicycles', 'Trikes, Inc.'])[1 + n % 4], 1, NULL FROM generate_series(1, 30) n;`;
